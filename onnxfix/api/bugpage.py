"""A bug report as a record, as Markdown, and as an archive."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx

from onnxfix.api.commands import MODEL, TEXT_BYTES, commands
from onnxfix.api.doctor import DoctorReport
from onnxfix.api.failing import CHECKS
from onnxfix.isolate.origin import Origin
from onnxfix.records import CheckReport

_NODES = 20


@dataclass(frozen=True, slots=True)
class BugReport:
    """What was gathered. `check` is what is wrong with the nodes, `asked` the check that fails.

    `library` is the TensorRT that was asked, "" when none was, and `errors` are its refusals.  `failure` is how the
    whole model fails, "" when it does not, and `figures` are its numbers (see ReduceReport).  `before` and `nodes`
    count the nodes of the whole and of the reduced model, and `origin` says what the latter are in the whole.

    `reduced` is the smallest model that fails in the same way, None without one; `reduced_failure` and
    `reduced_figures` are its own.  `files` lie beside it in the archive, and `commands` show the failure there.
    `notes` say what of the weights is in it, or why it is not there.
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
    asked: str = "build"
    failure: str = ""
    figures: tuple[dict[str, Any], ...] = ()
    before: int = 0
    origin: tuple[Origin, ...] = ()
    reduced_failure: str = ""
    reduced_figures: tuple[dict[str, Any], ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    commands: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: the report was written."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types; the reduced model as its number of nodes, the files by their names."""
        return {
            "model": self.model,
            "output": self.output,
            "doctor": self.doctor.to_json(),
            "check": self.check.to_json(),
            "asked": self.asked,
            "failure": self.failure,
            "figures": list(self.figures),
            "library": self.library,
            "errors": list(self.errors),
            "before": self.before,
            "nodes": self.nodes,
            "origin": [asdict(item) for item in self.origin],
            "reduced_failure": self.reduced_failure,
            "reduced_figures": list(self.reduced_figures),
            "files": sorted(self.files),
            "commands": list(self.commands),
            "notes": list(self.notes),
            "exit_code": self.exit_code,
        }


def markdown(found: BugReport, beside: bool = False) -> str:
    """The report for people, as Markdown; `beside` says that the reduced model and its files lie beside it."""
    return "\n\n".join(_sections(found, beside)) + "\n"


def archive(found: BugReport) -> bytes:
    """The report as a .zip file: the page, the record, and the reduced model with its files where there is one."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("report.md", markdown(found, beside=found.reduced is not None))
        file.writestr("report.json", json.dumps(_public(found), indent=2))
        for name, content in _beside(found).items():
            file.writestr(name, content)
    return data.getvalue()


def _sections(found: BugReport, beside: bool) -> Iterator[str]:
    told = _one_line(_asked(found))
    yield (
        f"# {Path(found.model).name}: {told if ' ' not in told else 'a command'} fails"
        if found.failure
        else (f"# {Path(found.model).name}")
    )
    if found.library:
        lines = [_error_line(error) for error in found.errors] or [found.failure or "Nothing."]
        yield f"## What {found.library} says\n\n" + "\n".join(lines)
    elif found.failure:
        said = f"The check `{told}` fails for the whole model: {_one_line(found.failure)}."
        yield f"## What fails\n\n{said}" + _table(found.figures)
    yield "## The smallest model that shows it\n\n" + "\n".join(
        f"{note[:1].upper()}{note[1:]}." for note in found.notes
    )
    if found.origin:
        yield "\n".join(_places(found))
    if found.reduced is not None:
        yield f"To see it again:\n\n```console\n{_typed(found, beside)}\n```"
        yield f"It says: {_one_line(found.reduced_failure)}." + _table(found.reduced_figures)
        yield _fenced(_model_text(found.reduced))
    summary = found.check.summary
    facts = f"opset {summary.opset}, IR version {summary.ir_version}, {summary.nodes} node{'s' * (summary.nodes != 1)}"
    findings = [f"- {d.code} {d.rule}: {d.message} ({d.op_type} {d.node})" for d in found.check.diagnostics]
    yield f"## What onnxfix finds in the whole model\n\n{facts}\n\n" + "\n".join(findings or ["nothing"])
    machine = [f"{item.topic}: {item.message}" for item in found.doctor.findings if item.topic not in _PRIVATE]
    yield "## The machine\n\n" + _fenced("\n".join(machine))


_PRIVATE = ("disk", "temporary files")


def _asked(found: BugReport) -> str:
    """The check: its name, or the command as it is told in the report."""
    return found.asked if found.asked in CHECKS else commands(found.asked)[0][-1]


def _public(found: BugReport) -> dict[str, Any]:
    """The report as JSON types without places on this machine: folders, and lines of your program."""
    document, name = found.to_json(), Path(found.model).name
    findings = [item for item in document["doctor"]["findings"] if item["topic"] not in _PRIVATE]
    told = [{**item, "origin": ""} for item in document["check"]["diagnostics"]]
    return {
        **document,
        "model": name,
        "output": Path(found.output).name,
        "asked": _asked(found),
        "doctor": {**document["doctor"], "findings": findings},
        "check": {**document["check"], "model": name, "diagnostics": told},
    }


def _places(found: BugReport) -> Iterator[str]:
    """What the nodes of the reduced model are in the whole."""
    yield f"Nodes that matter, of {found.before} in the whole model:\n"
    for item in found.origin[:_NODES]:
        yield f"- {item.op_type} `{item.node}`" + (f" in `{item.scope}`" if item.scope else "")
    if len(found.origin) > _NODES:
        yield f"- and {len(found.origin) - _NODES} more"


_COLUMNS = (
    *("name", "dtype", "shape", "max_diff", "allowed", "max_abs", "max_rel", "wrong", "first", "expected", "got"),
    *("op_type", "node", "low", "high", "nan", "infinite", "why"),
)
"""The figures that a page has, of those that a check gives; report.json has all."""


def _table(figures: Sequence[Mapping[str, Any]]) -> str:
    """Figures as a Markdown table below a text, "" without any."""
    if not figures:
        return ""
    columns = [name for name in _COLUMNS if name in figures[0]]
    rows = [[_cell(row[name]) for name in columns] for row in figures[:_NODES]]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple | list):
        return f"[{','.join(map(str, value))}]"
    return _one_line(str(value)).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _error_line(error: dict[str, Any]) -> str:
    place = " ".join(filter(None, (error["op_type"], error["node"])))
    return f"- {error['stage']}: {f'{place}: ' if place else ''}{_one_line(error['message'])}"


def _beside(found: BugReport) -> dict[str, bytes]:
    """The reduced model and its files by name, nothing without one."""
    return {} if found.reduced is None else {MODEL: found.reduced.SerializeToString(), **found.files}


def _typed(found: BugReport, beside: bool) -> str:
    """What to type to see the failure; a page has the files themselves, when they are small."""
    lines = [] if beside else [_written(name, content) for name, content in _beside(found).items()]
    return "\n".join((*lines, *(f"$ {command}" for command in found.commands)))


def _written(name: str, content: bytes) -> str:
    if len(content) > TEXT_BYTES:
        return f"$ # {name} is too large for this page: `onnxfix report -o r.zip` has it"
    return f"$ base64 -d > {name} <<END\n{base64.encodebytes(content).decode()}END"


def _model_text(proto: onnx.ModelProto) -> str:
    if proto.ByteSize() > TEXT_BYTES:
        return "(too large to print)"
    plain = onnx.ModelProto()
    plain.CopyFrom(proto)
    del plain.metadata_props[:]
    return onnx.printer.to_text(plain)


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"
