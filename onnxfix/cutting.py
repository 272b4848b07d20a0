"""The straight lines of `extract` and `reduce`: from a file to a smaller one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from onnxfix.destination import destination_of
from onnxfix.errors import OnnxfixError
from onnxfix.model import Model, load, save
from onnxfix.model.inference import typed_scopes
from onnxfix.model.scope import scopes_of
from onnxfix.model.types import from_value_info, type_text
from onnxfix.reduce.extract import around as extract_around
from onnxfix.reduce.extract import between


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
    destination = destination_of(whole, output, in_place=False)
    assert destination is not None
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


def node_count(model: Model) -> int:
    """The nodes in all scopes."""
    return sum(len(scope.nodes) for scope in scopes_of(model))


def _signature(values: Sequence[onnx.ValueInfoProto]) -> tuple[tuple[str, str], ...]:
    return tuple((value.name, type_text(from_value_info(value))) for value in values)
