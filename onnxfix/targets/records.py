"""What the fact base says, as plain records: targets, releases, answers and explanations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from onnxfix.targets.tables import Track, cite, table

Answer = Literal["yes", "no", "unknown"]
Stage = Literal["parse", "build"]
Level = Literal["error", "silent_wrong", "ignored", "behaviour"]


@dataclass(frozen=True, slots=True)
class Release:
    """Facts about one release. None means that no source states the fact.

    `version` is the full build number, `date` the day of release (ISO 8601).
    `opset_max` is the newest ONNX opset the release promises; no release enforces it.
    `int64`: "clamped_to_int32" or "native". `double`: "refused" or "narrowed_to_float".
    `uint8`: "none" or "graph_io_only". `fp8`: "no", "enum_only" (a name without kernels) or "yes".
    `typing`: "weak", "weak_or_strong", "strong_by_default" or "strong_only".
    `network`: "implicit_batch", "implicit_or_explicit_batch" or "explicit_batch".
    `sm_min`, `sm_max`: the lowest and highest compute capability a source shows (75 is 7.5); it promises
    nothing between.
    `cuda`: the CUDA releases it was published for.
    `sm_targets`: every compute capability engines can be built for (TensorRT-RTX only).
    `sources` has one citation for each fact that is not None, by field name.
    """

    track: Track
    key: str
    version: str | None = None
    date: str | None = None
    opset_max: int | None = None
    int64: str | None = None
    double: str | None = None
    uint8: str | None = None
    boolean: bool | None = None
    bf16: bool | None = None
    fp8: str | None = None
    int4: bool | None = None
    fp4: bool | None = None
    typing: str | None = None
    network: str | None = None
    sm_min: int | None = None
    sm_max: int | None = None
    sm_targets: tuple[int, ...] | None = None
    build_needs_gpu: bool | None = None
    cuda: tuple[str, ...] | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Target:
    """A TensorRT release, optionally on a device.

    `name` is canonical: `resolve(target.name)` gives an equal target. `release` is a key of releases.yaml ("8.6").
    `compute_capability` has no dot ("89" is 8.9). `note` says what was assumed when the user's words left it open.
    """

    name: str
    track: Track
    release: str
    device: str | None = None
    compute_capability: str | None = None
    note: str = field(default="", compare=False)

    @property
    def title(self) -> str:
        """The target for a reader: `TensorRT 8.2 on jetson-nano`."""
        product = "TensorRT-RTX" if self.track == "rtx" else "TensorRT"
        place = self.device or (f"sm{self.compute_capability}" if self.compute_capability else "")
        return f"{product} {self.release}" + (f" on {place}" if place else "")

    @property
    def opset_max(self) -> int | None:
        """The newest opset the release promises, None when unknown."""
        return release(self).opset_max

    @property
    def narrows_int64(self) -> bool | None:
        """True when the release reads int64 as int32 (all before TensorRT 9.0), None when unknown."""
        int64 = release(self).int64
        return None if int64 is None else int64 == "clamped_to_int32"

    @property
    def strongly_typed(self) -> bool | None:
        """True when a network is strongly typed unless asked otherwise, so that mixed operand types are errors.

        False for releases where strong typing is absent or has to be asked for; None when unknown.
        """
        typing = release(self).typing
        return None if typing is None else typing in ("strong_only", "strong_by_default")


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a target takes a node, as far as was asked.

    "no" comes with a reason and a source: the parser refuses (`stage` parse), the builder refuses (`stage` build), or
    the node is taken but computed wrongly (`level` silent_wrong). A "yes" may carry a remark in `reason`.
    """

    answer: Answer
    reason: str = ""
    source: str = ""
    stage: Stage = "parse"
    level: Level = "error"


@dataclass(frozen=True, slots=True)
class Limit:
    """One restriction of an operator that holds in a release.

    `fact` is the entry of operators.yaml: what is limited (`attr`, `input`, `output`, `spatial_rank`, `rule` ...)
    and how.
    """

    op_type: str
    fact: Mapping[str, Any] = field(hash=False)
    level: Level
    stage: Stage
    source: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one message of TensorRT means.

    `seen` lists the releases known to say it ("TensorRT 8.0 to 10.1"), `said_by` is the newest of them where
    TensorRT-RTX is none ("trt10.1"); `expected` says whether the target asked about
    is one of them, None when that is unknown. `repairs` names the repairs that help, the most direct first; `follows`
    says that something else went wrong before.
    """

    id: str
    cause: str
    stage: str
    severity: str
    trigger: str
    repairs: tuple[str, ...]
    op_types: tuple[str, ...]
    seen: tuple[str, ...]
    expected: bool | None
    source: str
    fragment: str
    said_by: str = ""
    follows: bool = False


def release(target: Target) -> Release:
    """What is known about the release of `target`."""
    return _release(target.track, target.release)


def release_table(track: Track) -> Mapping[str, Mapping[str, Any]]:
    """The raw entries of one track, by release key, oldest first."""
    entries: Mapping[str, Mapping[str, Any]] = table("releases")["rtx_releases" if track == "rtx" else "releases"]
    return entries


@cache
def _release(track: Track, key: str) -> Release:
    facts = _stated(track, key)
    citations = table("releases")["sources"]
    values, sources = {}, {}
    for name, fact in facts.items():
        for field_name, value in _fields(name, fact["value"]).items():
            if field_name in Release.__slots__ and value is not None:
                values[field_name] = value
                sources[field_name] = cite(fact["src"], citations)
    return Release(track, key, sources=sources, **values)


def _stated(track: Track, key: str) -> dict[str, Any]:
    """The facts of a release; a patch release (11.4.1) has those of its base (11.4) where it states none itself."""
    entries = release_table(track)
    base = ".".join(key.split(".")[:2])
    return {**entries[base], **entries[key]}


def _fields(name: str, value: Any) -> dict[str, Any]:
    """A fact of releases.yaml under the field names of Release."""
    if name == "sm":
        return {"sm_min": value["min"], "sm_max": value["max"]} if value else {}
    if name == "cuda" and value:
        return {"cuda": tuple(value) if isinstance(value, list) else (str(value),)}
    if name == "targets":
        return {"sm_targets": tuple(value)}
    return {"boolean" if name == "bool" else name: value}
