"""MODEL.plan.json: what is known about a plan file, kept beside it, because the plan itself tells little."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onnxfix import __version__
from onnxfix.engine.driver import Driver, Gpu
from onnxfix.engine.options import BuildOptions
from onnxfix.engine.records import EngineResult, Flavour, Layer
from onnxfix.engine.tensors import IoTensor
from onnxfix.errors import OnnxfixError

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file by name, with its bytes and SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One build. `model` has the .onnx file first and its weight files after it. `cuda` is the version that the
    library was packaged for and `driver` the driver's own, "" where not known; `gpu` is None where no GPU was.
    `system` is the operating system and processor ("Linux x86_64"), `compute_capabilities` what was asked for,
    `precisions` what a weakly typed build may use, "strong" alone when the model's types decide.
    """

    plan: FileFacts
    model: tuple[FileFacts, ...]
    flavour: Flavour
    cuda: str
    driver: str
    gpu: Gpu | None
    system: str
    compute_capabilities: tuple[str, ...]
    precisions: tuple[str, ...]
    tf32: bool
    workspace: int
    stripped: bool
    hardware_compatible: bool
    version_compatible: bool
    tensors: tuple[IoTensor, ...]
    layers: tuple[Layer, ...]
    onnxfix: str
    date: str

    def to_bytes(self) -> bytes:
        """The content of the file: JSON in ASCII."""
        return (json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n").encode()


def sidecar_path(plan: Path) -> Path:
    """`model.plan.json` for `model.plan`."""
    return plan.with_name(f"{plan.name}.json")


def make_sidecar(
    plan: FileFacts,
    model: tuple[FileFacts, ...],
    result: EngineResult,
    options: BuildOptions,
    driver: Driver,
) -> Sidecar:
    """The facts about a build that has just written `plan`, with `gpu` the first that the driver sees."""
    assert result.network is not None
    capabilities = tuple(filter(None, result.compute_capability.split(", ")))
    return Sidecar(
        plan=plan,
        model=model,
        flavour=result.flavour,
        cuda=result.flavour.cuda,
        driver=driver.version,
        gpu=driver.gpus[0] if driver.gpus else None,
        system=this_system(),
        compute_capabilities=capabilities or tuple(gpu.compute_capability for gpu in driver.gpus[:1]),
        precisions=("strong",) if result.network.strongly_typed else result.network.precisions,
        tf32=options.tf32,
        workspace=options.workspace,
        stripped=options.stripped,
        hardware_compatible=options.hardware_compatible,
        version_compatible=options.version_compatible,
        tensors=result.network.tensors,
        layers=result.network.layers,
        onnxfix=__version__,
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def this_system() -> str:
    """Operating system and processor: "Linux x86_64"."""
    return f"{platform.system()} {platform.machine()}"


def file_facts(path: Path, name: str = "") -> FileFacts:
    """Size and SHA-256 of a file, under `name` or its own. Raises OnnxfixError."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return FileFacts(name or path.name, file.tell(), digest)
    except OSError as error:
        raise OnnxfixError(f"cannot be read: {error.strerror}", where=str(path)) from None


def read_sidecar(plan: Path) -> Sidecar | None:
    """What stands beside `plan`, None when nothing does. Raises OnnxfixError for a file that is no sidecar."""
    path = sidecar_path(plan)
    try:
        return _sidecar(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OnnxfixError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"is not what onnxfix wrote beside the plan ({type(error).__name__}: {error})"
        raise OnnxfixError(what, where=str(path), hint="delete it; the plan itself needs no such file") from None


def _sidecar(document: Mapping[str, Any]) -> Sidecar:
    if document["format"] != _FORMAT:
        raise ValueError(f"format {document['format']}")
    gpu = document["gpu"]
    switches = dict.fromkeys(("tf32", "stripped", "hardware_compatible", "version_compatible"), bool)
    texts = dict.fromkeys(("cuda", "driver", "system", "onnxfix", "date"), str)
    return Sidecar(
        plan=_file(document["plan"]),
        model=tuple(map(_file, document["model"])),
        flavour=Flavour(**_typed(document["flavour"], name=str, version=str, cuda=str)),
        gpu=Gpu(**_typed(gpu, name=str, compute_capability=str, memory=int)) if gpu is not None else None,
        compute_capabilities=_all(document["compute_capabilities"], str),
        precisions=_all(document["precisions"], str),
        tensors=tuple(map(_tensor, document["tensors"])),
        layers=tuple(map(_layer, document["layers"])),
        **_typed(document, workspace=int, **switches, **texts),
    )


def _typed(item: Mapping[str, Any], **kinds: type) -> dict[str, Any]:
    """The named entries of `item`. Raises TypeError when one is of another type."""
    for name, kind in kinds.items():
        if type(item[name]) is not kind:
            raise TypeError(f"{name} is {item[name]!r}")
    return {name: item[name] for name in kinds}


def _all(items: Sequence[Any], kind: type) -> tuple[Any, ...]:
    """The items. Raises TypeError when one is of another type."""
    if not isinstance(items, list) or not all(type(item) is kind for item in items):
        raise TypeError(f"{items!r} is no list of {kind.__name__}")
    return tuple(items)


def _file(item: Mapping[str, Any]) -> FileFacts:
    return FileFacts(**_typed(item, name=str, bytes=int, sha256=str))


def _layer(item: Mapping[str, Any]) -> Layer:
    return Layer(**_typed(item, name=str, kind=str), nodes=_all(item["nodes"], str), dtypes=_all(item["dtypes"], str))


def _tensor(item: Mapping[str, Any]) -> IoTensor:
    ranges = tuple((_all(low, int), _all(best, int), _all(high, int)) for low, best, high in item["ranges"])
    plain = _typed(item, name=str, input=bool, dtype=str, host=bool, values=bool)
    return IoTensor(**plain, shape=_all(item["shape"], int), ranges=ranges)
