"""The straight lines of `extract` and `reduce`: from a file to a smaller one."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from onnxfix.api.destination import destination_of
from onnxfix.api.failing import Failing, flow_of
from onnxfix.api.run import write_npz
from onnxfix.changes.interface import type_text
from onnxfix.errors import Irreducible, OnnxfixError
from onnxfix.files import write_whole
from onnxfix.isolate.answers import Answer, Answers
from onnxfix.isolate.checks import Finite
from onnxfix.isolate.extract import around as extract_around
from onnxfix.isolate.extract import between
from onnxfix.isolate.flow import Flow
from onnxfix.isolate.origin import Origin, origins, signed
from onnxfix.isolate.search import Search, search_nodes, size_of
from onnxfix.isolate.shrink import shrink
from onnxfix.model import Model, load, save
from onnxfix.model.inference import typed_scopes
from onnxfix.model.scope import scopes_of
from onnxfix.verify.lists import tensors


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """A sub-model: its interface as (name, type as ONNX text writes it), and the file, "" when none was written.

    `complaint` is what the ONNX checker says of it, "" when it is valid.
    """

    model: str
    output: str
    nodes: int
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]
    complaint: str = ""

    @property
    def exit_code(self) -> int:
        """1 when the sub-model is not valid, as when the whole is not, else 0."""
        return int(bool(self.complaint))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {**asdict(self), "exit_code": self.exit_code}


def extract(
    model: str | Path | onnx.ModelProto,
    output: str | Path,
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    around: str = "",
    hops: int = 3,
) -> ExtractReport:
    """Write the part of a model between `inputs` and `outputs`, or `around` a node, `hops` steps far.

    Values inside a subgraph may be named too: what it takes from outside becomes an input.  Weights in files beside
    the model stay there when `output` is in the same folder, and only those that are needed are copied otherwise.
    Raises OnnxfixError for a name that is not there and for a value whose type cannot be inferred.
    """
    whole = load(model)
    if around and (inputs or outputs):
        raise OnnxfixError("give either values to cut between or a node to cut around, not both")
    if not (around or inputs or outputs):
        raise OnnxfixError("nothing says what to extract", hint="name inputs and outputs, or a node")
    if hops < 0:
        raise OnnxfixError(f"{hops} hops are no distance")
    destination = _goal(whole, output)
    scopes = typed_scopes(whole)[0]
    proto = extract_around(scopes, around, hops) if around else between(scopes, inputs, outputs)
    smaller = whole.with_proto(proto)
    complaint = typed_scopes(smaller)[1]
    complaint = complaint and (_unsized(proto.graph) or complaint)
    save(smaller, destination)
    return ExtractReport(
        whole.label,
        str(destination),
        node_count(smaller),
        _signature(proto.graph.input),
        _signature(proto.graph.output),
        complaint,
    )


def _unsized(graph: onnx.GraphProto) -> str:
    """Which input or output has no shape, of which the checker only says that a field is missing; "" without one."""
    for what, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
                return f"the {what} {value.name!r} has no shape, for nobody knows its number of dimensions"
    return ""


@dataclass(frozen=True, slots=True)
class ReduceReport:
    """The smallest model that still fails: `failure` is how the whole model does, `check` what was asked.

    `before` and `nodes` count the nodes in all graphs, Constants left out.  `checks` were run, `recalled` answers
    came from an earlier search.  `inputs` is the .npz file with the inputs that show the failure, "" without one.
    `complaint` says that the file, asked once more, does not fail: the check is not steady.  `figures` are the numbers
    of the outputs of the whole model that differ, or of its first value that is not finite.
    """

    model: str
    check: str
    failure: str
    before: int
    nodes: int
    checks: int
    recalled: int
    output: str
    origin: tuple[Origin, ...]
    inputs: str = ""
    seconds: float = 0.0
    complaint: str = ""
    figures: tuple[dict[str, Any], ...] = ()

    @property
    def exit_code(self) -> int:
        """0: what was written fails, and is as small as possible; 1 when it does not fail each time."""
        return int(bool(self.complaint))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {**asdict(self), "exit_code": self.exit_code}


def reduce(
    model: str | Path | onnx.ModelProto,
    output: str | Path,
    *,
    check: str = "build",
    match: str = "",
    inputs: str | Path | None = None,
    timeout: float = 300.0,
    repeat: int = 1,
    progress: Callable[[tuple[str, float]], object] = str,
) -> ReduceReport:
    """Write the smallest sub-model that fails as the whole model does.

    `check` is "build", "parse", "numeric", "nan", or a command line that ends with another code than 0 when the model
    (in the place of `{}`, or after the last word) fails; with `match`, a regular expression, when it prints that.
    `timeout` is in seconds, for one check.  `repeat` is how often a check is run that does not fail each time.
    `inputs` is a .npz file for "numeric" and "nan".  A crash is a failure.  What a search that was interrupted has
    learnt lies in OUTPUT.search.json, and the next one goes on from there.  `progress` gets (the current size, fraction
    done).
    Raises Irreducible for a model that does not fail and a check that fails whatever the model is, and OnnxfixError for
    options that make no sense and weights beyond the memory.
    """
    started = time.perf_counter()
    failing = Failing(check, match, timeout, repeat)
    failing.refuse_senseless(inputs)
    whole = load(model)
    destination = _goal(whole, output)
    asked, start = failing.of(whole, inputs)
    flow = flow_of(asked)
    kept = Answers(learnt_file(destination), failing.subject(whole, asked))
    search = Search(start, asked, kept, progress, values=flow is not None, repeat=repeat)
    search.place = asked.place if isinstance(asked, Finite) else ""
    before = size_of(whole)
    if not search.begin():
        if search.first.message:
            raise Irreducible(f"the check `{asked.title}` cannot be asked: {search.first.message}", where=whole.label)
        hint = "perhaps --match does not fit" if match else "nothing is to be found"
        raise Irreducible(f"does not fail the check `{asked.title}`", where=whole.label, hint=hint)
    search_nodes(search)
    shrink(search)
    search_nodes(search)
    if search.fails_for_all():
        kept.forget()
        raise Irreducible(
            f"fails for every model, in the same way for a single node: {search.first.message}",
            where=f"the check `{asked.title}`",
            hint="mend it, or say with --match what it prints when it is the model that fails",
        )
    origin = tuple(origins(search.model, whole, search.place))
    save(signed(search.model, whole.label, asked.title, search.first.message, origin), destination, embed=True)
    feeds = _write_inputs(flow, search.model, destination)
    again = search.asked(destination)
    kept.forget()
    return ReduceReport(
        whole.label,
        asked.title,
        search.first.message,
        before,
        size_of(search.model),
        search.checks,
        kept.recalled,
        str(destination),
        origin,
        feeds,
        time.perf_counter() - started,
        "" if again.sign == search.sign else _unsteady(again),
        search.first.figures,
    )


def learnt_file(output: Path) -> Path:
    """Where a search that writes `output` keeps what it has learnt."""
    return output.with_name(f"{output.name}.search.json")


def _unsteady(again: Answer) -> str:
    said = f"it failed otherwise: {again.message}" if again.failed else "it did not fail"
    return f"asked once more, {said}; for a failure that comes and goes take --repeat 5"


def _write_inputs(flow: Flow | None, model: Model, destination: Path) -> str:
    feeds = flow.values([value.name for value in model.proto.graph.input]) if flow else None
    if not feeds:
        return ""
    path = destination.with_suffix(".inputs.npz")
    with io.BytesIO() as file:
        write_npz(file, tensors(feeds))
        write_whole(path, file.getvalue())
    return str(path)


def _goal(whole: Model, output: str | Path) -> Path:
    """Where the result goes. Raises OnnxfixError."""
    goal = destination_of(whole, output, in_place=False, may_replace=False)
    assert goal is not None
    return goal


def node_count(model: Model) -> int:
    """The nodes in all scopes."""
    return sum(len(scope.nodes) for scope in scopes_of(model))


def _signature(values: Sequence[onnx.ValueInfoProto]) -> tuple[tuple[str, str], ...]:
    return tuple((value.name, type_text(value)) for value in values)
