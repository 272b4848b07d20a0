"""The straight lines of `extract` and `reduce`: from a file to a smaller one."""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix.api.destination import destination_of
from onnxfix.api.run import write_npz
from onnxfix.errors import OnnxfixError
from onnxfix.files import write_whole
from onnxfix.isolate.answers import Answer, Answers
from onnxfix.isolate.checks import Check, Engine, Finite, Numeric
from onnxfix.isolate.command import Command
from onnxfix.isolate.extract import around as extract_around
from onnxfix.isolate.extract import between
from onnxfix.isolate.innermost import innermost
from onnxfix.isolate.origin import Origin, origins, signed
from onnxfix.isolate.search import Search, search_nodes, size_of
from onnxfix.isolate.shrink import shrink
from onnxfix.model import Model, load, save
from onnxfix.model.inference import typed_scopes
from onnxfix.model.scope import scopes_of
from onnxfix.model.types import from_value_info, type_text
from onnxfix.verify.budget import ENGINE, NUMERIC, ensure_memory
from onnxfix.verify.values import recorded_inputs

_FACTORS = {"build": ENGINE, "parse": ENGINE, "numeric": ENGINE, "nan": NUMERIC}


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
    save(smaller, destination)
    return ExtractReport(
        whole.label,
        str(destination),
        node_count(smaller),
        _signature(proto.graph.input),
        _signature(proto.graph.output),
        complaint,
    )


@dataclass(frozen=True, slots=True)
class ReduceReport:
    """The smallest model that still fails: `failure` is how the whole model does, `check` what was asked.

    `before` and `nodes` count the nodes in all graphs, Constants left out.  `checks` were run, `recalled` answers
    came from an earlier search.  `inputs` is the .npz file with the inputs that show the failure, "" without one.
    `complaint` says that the file, asked once more, does not fail: the check is not steady.
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
    `inputs` is a .npz file for "nan".  A crash is a failure.  What a search that was interrupted has learnt lies in
    OUTPUT.search.json, and the next one goes on from there.  `progress` gets (the current size, fraction done).
    Raises OnnxfixError for a model that does not fail, a check that fails whatever the model is, and weights beyond the
    memory.
    """
    started = time.perf_counter()
    whole = load(model)
    destination = _goal(whole, output)
    _refuse_senseless(match, timeout, repeat)
    if check in _FACTORS:
        ensure_memory(whole, _FACTORS[check])
    asked, start = _check(whole, check, match, inputs, timeout)
    kept = Answers(learnt_file(destination), _subject(whole, asked, match, repeat))
    search = Search(start, asked, kept, progress, values=isinstance(asked, Finite), repeat=repeat)
    search.place = asked.place if isinstance(asked, Finite) else ""
    before = size_of(whole)
    if not search.begin():
        hint = search.first.message or ("perhaps --match does not fit" if match else "nothing is to be found")
        raise OnnxfixError(f"does not fail the check `{asked.title}`", where=whole.label, hint=hint)
    search_nodes(search)
    shrink(search)
    search_nodes(search)
    if search.fails_for_all():
        kept.forget()
        raise OnnxfixError(
            f"fails for every model, in the same way for a single node: {search.first.message}",
            where=f"the check `{asked.title}`",
            hint="mend it, or say with --match what it prints when it is the model that fails",
        )
    origin = tuple(origins(search.model, whole, search.place))
    save(signed(search.model, whole.label, asked.title, search.first.message, origin), destination, embed=True)
    feeds = _write_inputs(asked, search.model, destination)
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
    )


def learnt_file(output: Path) -> Path:
    """Where a search that writes `output` keeps what it has learnt."""
    return output.with_name(f"{output.name}.search.json")


def _unsteady(again: Answer) -> str:
    said = f"it failed otherwise: {again.message}" if again.failed else "it did not fail"
    return f"asked once more, {said}; for a failure that comes and goes take --repeat 5"


def _refuse_senseless(match: str, timeout: float, repeat: int) -> None:
    """Raises OnnxfixError."""
    try:
        re.compile(match)
    except re.error as error:
        raise OnnxfixError(f"is no regular expression: {error}", where=f"--match {match}") from None
    if not timeout > 0:
        raise OnnxfixError("is no time to wait", where=f"--timeout {timeout:g}", hint="give seconds above 0")
    if repeat < 1:
        raise OnnxfixError("runs no check", where=f"--repeat {repeat}", hint="give 1 or more")


def _check(whole: Model, check: str, match: str, inputs: str | Path | None, timeout: float) -> tuple[Check, Model]:
    """The check, and the model in which the search begins."""
    if check in ("build", "parse"):
        return Engine("build" if check == "build" else "parse", timeout=timeout), whole
    if check == "numeric":
        return Numeric(timeout), whole
    if check == "nan":
        feeds = recorded_inputs(Path(inputs), whole) if inputs else None
        return innermost(whole, feeds, timeout)
    try:
        words = tuple(shlex.split(check))
    except ValueError as error:
        raise OnnxfixError(f"the command cannot be read: {error}", where=check) from None
    if not words:
        raise OnnxfixError("the check is empty", hint="give a command, or build, parse, numeric or nan")
    return Command(words, match, timeout), whole


def _subject(whole: Model, check: Check, match: str, repeat: int) -> str:
    """What a search is about: its answers are of no use to another, nor when a file of the command has changed."""
    digest = hashlib.sha256(whole.proto.SerializeToString(deterministic=True))
    for name, array in sorted(check.feeds.items()) if isinstance(check, Finite) else ():
        digest.update(f"{name} {np.asarray(array).tolist()!r}".encode())
    state = check.state() if isinstance(check, Command) else ""
    return " ".join([digest.hexdigest(), check.title, match, str(repeat), state])


def _write_inputs(check: Check, model: Model, destination: Path) -> str:
    feeds = check.values([v.name for v in model.proto.graph.input]) if isinstance(check, Finite) else None
    if not feeds:
        return ""
    path = destination.with_suffix(".inputs.npz")
    with io.BytesIO() as file:
        write_npz(file, feeds)
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
    return tuple((value.name, type_text(from_value_info(value))) for value in values)
