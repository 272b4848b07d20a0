"""The straight line of `report`: everything that a bug report needs, in one archive or Markdown file."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx

from onnxfix import engine
from onnxfix.api.check import check
from onnxfix.api.cutting import reduce
from onnxfix.api.doctor import DoctorReport, doctor
from onnxfix.errors import OnnxfixError
from onnxfix.files import write_whole
from onnxfix.isolate.checks import Engine
from onnxfix.isolate.weights import randomized, weights_of, without_remarks
from onnxfix.model import load, save
from onnxfix.records import CheckReport
from onnxfix.scratch import scratch
from onnxfix.verify.budget import ENGINE, ensure_memory

_TEXT_BYTES = 1 << 15
MODEL = "small.onnx"
"""The reduced model's name in an archive."""


@dataclass(frozen=True, slots=True)
class BugReport:
    """What was gathered. `library` is the TensorRT that was asked, "" without one, and `errors` are its refusals.

    `reduced` is the smallest model that is refused in the same way, None without one; `notes` say why, and what of the
    weights is in it.
    """

    model: str
    output: str
    doctor: DoctorReport
    check: CheckReport
    library: str = ""
    errors: tuple[dict[str, Any], ...] = ()
    reduced: onnx.ModelProto | None = None
    nodes: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """0: the report was written."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types; the reduced model as its number of nodes."""
        return {
            "model": self.model,
            "output": self.output,
            "doctor": self.doctor.to_json(),
            "check": self.check.to_json(),
            "library": self.library,
            "errors": list(self.errors),
            "nodes": self.nodes,
            "notes": list(self.notes),
            "exit_code": self.exit_code,
        }


def bug_report(
    model: str | Path,
    output: str | Path,
    *,
    weights: bool = False,
    timeout: float = 300.0,
    progress: Callable[[str], object] = str,
) -> BugReport:
    """Write a bug report about a model to `output`, a .zip archive or a Markdown file (.md).

    The model that goes into it is the smallest one that TensorRT refuses as it refuses the whole, with random numbers
    for weights; with `weights` those that the refusal needs stay.  `timeout` is in seconds, for one build.
    Raises OnnxfixError for a file that is no model, weights beyond the memory, and an `output` of another kind.
    """
    path, goal = Path(model), Path(output)
    if goal.suffix not in (".zip", ".md"):
        raise OnnxfixError("is neither .zip nor .md", where=str(goal), hint="choose another -o")
    progress("looking at this machine")
    machine = doctor()
    progress("checking the model")
    checked = check(path)
    library, errors = _refusals(path, timeout, progress)
    reduced, notes = _smallest(path, weights, timeout, progress) if errors else (None, _why_none(library))
    nodes = len(reduced.graph.node) if reduced else 0
    found = BugReport(str(path), str(goal), machine, checked, library, errors, reduced, nodes, notes)
    write_whole(goal, _archive(found) if goal.suffix == ".zip" else markdown(found).encode())
    return found


def _refusals(path: Path, timeout: float, progress: Callable[[str], object]) -> tuple[str, tuple[dict[str, Any], ...]]:
    if not engine.installed():
        return "", ()
    ensure_memory(load(path), ENGINE)
    progress("building the engine")
    result = engine.build(path, timeout=timeout)
    return result.flavour.title, tuple(asdict(error) for error in result.errors)


def _why_none(library: str) -> tuple[str, ...]:
    said = f"{library} builds an engine of the model" if library else "no TensorRT is installed"
    return (f"there is no reduced model: {said}",)


def _smallest(
    path: Path, weights: bool, timeout: float, progress: Callable[[str], object]
) -> tuple[onnx.ModelProto | None, tuple[str, ...]]:
    with scratch() as folder:
        small = Path(folder, MODEL)
        reduce(path, small, check="build", timeout=timeout, progress=lambda now: progress(now[0]))
        model = load(small)
        count = len(weights_of(model.proto))
        if weights:
            note = "the weights that the refusal needs are in it" if count else "it needs no weights"
            return without_remarks(onnx.load(small)), (note, _NAMES)
        ask = Engine("build", timeout=timeout)
        meant = ask(small, model)
        blind = model.with_proto(without_remarks(randomized(model, range(count))))
        save(blind, small)
        if ask(small, blind).sign != meant.sign:
            return None, ("the refusal depends on weights: pass --weights to put them into the report",)
        note = "its weights are random numbers" if count else "it needs no weights"
        return onnx.load(small), (note, _NAMES)


_NAMES = "the names of nodes and values are those of your model; doc strings and metadata are left out"


def markdown(found: BugReport, beside: bool = False) -> str:
    """The report for people, as Markdown; `beside` says that the reduced model lies beside it."""
    return "\n\n".join(_sections(found, beside)) + "\n"


def _sections(found: BugReport, beside: bool) -> Iterator[str]:
    yield f"# TensorRT and {Path(found.model).name}"
    if found.library:
        lines = [_error_line(error) for error in found.errors] or ["It builds."]
        yield f"## What {found.library} says\n\n" + "\n".join(lines)
    yield "## The smallest model that shows it\n\n" + "\n".join(
        f"{note[:1].upper()}{note[1:]}." for note in found.notes
    )
    if found.reduced is not None:
        yield f"To see it again:\n\n```console\n{_commands(found.reduced, beside)}\n```"
        yield _fenced(_model_text(found.reduced))
    summary = found.check.summary
    facts = f"opset {summary.opset}, IR version {summary.ir_version}, {summary.nodes} nodes"
    told = [f"- {d.code} {d.rule}: {d.message} ({d.op_type} {d.node})" for d in found.check.diagnostics]
    yield f"## What onnxfix finds in the whole model\n\n{facts}\n\n" + "\n".join(told or ["nothing"])
    machine = [f"{item.topic}: {item.message}" for item in found.doctor.findings if item.topic not in _PRIVATE]
    yield "## The machine\n\n" + _fenced("\n".join(machine))


_PRIVATE = ("disk", "temporary files")


def _public(found: BugReport) -> dict[str, Any]:
    """The report as JSON types without places on this machine: folders, and lines of your program."""
    document, name = found.to_json(), Path(found.model).name
    findings = [item for item in document["doctor"]["findings"] if item["topic"] not in _PRIVATE]
    told = [{**item, "origin": ""} for item in document["check"]["diagnostics"]]
    return {
        **document,
        "model": name,
        "output": Path(found.output).name,
        "doctor": {**document["doctor"], "findings": findings},
        "check": {**document["check"], "model": name, "diagnostics": told},
    }


def _error_line(error: dict[str, Any]) -> str:
    place = " ".join(filter(None, (error["op_type"], error["node"])))
    return f"- {error['stage']}: {f'{place}: ' if place else ''}{' '.join(error['message'].split())}"


def _commands(proto: onnx.ModelProto, beside: bool) -> str:
    """What to type to see the refusal."""
    build = f"$ onnxfix build {MODEL} -o small.plan"
    if beside:
        return build
    if proto.ByteSize() > _TEXT_BYTES:
        return f"$ # the model is too large for this page: `onnxfix report -o r.zip` has it as {MODEL}\n{build}"
    lines = base64.encodebytes(proto.SerializeToString()).decode()
    return f"$ base64 -d > {MODEL} <<END\n{lines}END\n{build}"


def _model_text(proto: onnx.ModelProto) -> str:
    if proto.ByteSize() > _TEXT_BYTES:
        return "(too large to print)"
    plain = onnx.ModelProto()
    plain.CopyFrom(proto)
    del plain.metadata_props[:]
    return onnx.printer.to_text(plain)


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def _archive(found: BugReport) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.md", markdown(found, beside=found.reduced is not None))
        archive.writestr("report.json", json.dumps(_public(found), indent=2))
        if found.reduced is not None:
            archive.writestr(MODEL, found.reduced.SerializeToString())
    return data.getvalue()
