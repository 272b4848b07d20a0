"""What there is to know about a model without reading its weights."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import onnx

from onnxfix.model.file import external_tensors
from onnxfix.model.model import Model, place_of
from onnxfix.model.scope import Scope, scopes_of
from onnxfix.model.types import STANDARD, Dim, ValueType, dtype_name, from_value_info
from onnxfix.model.wire import SELF


@dataclass(frozen=True, slots=True)
class ValueFacts:
    """An input or output. `dtype` is as ONNX text writes it, `shape` None when the rank is unknown, `kind` "tensor"
    or "sequence", "optional", "map", "sparse_tensor"."""

    name: str
    dtype: str
    shape: tuple[Dim, ...] | None
    kind: str = "tensor"


@dataclass(frozen=True, slots=True)
class WeightFacts:
    """The stored tensors of one dtype: how many, their elements and bytes (0 for strings)."""

    dtype: str
    tensors: int
    elements: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ScopeFacts:
    """A subgraph or function: its path and its number of nodes."""

    name: str
    nodes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """One model. `inputs` leaves out initializers; `nodes` and `operators` count all scopes, other domains as
    `domain.Operator`, the most frequent first; `external` has the bytes that lie in each weight file."""

    model: str
    file_bytes: int
    ir_version: int
    producer: str
    opsets: dict[str, int]
    inputs: tuple[ValueFacts, ...]
    outputs: tuple[ValueFacts, ...]
    nodes: int
    operators: dict[str, int]
    weights: tuple[WeightFacts, ...]
    external: dict[str, int]
    subgraphs: tuple[ScopeFacts, ...]
    functions: tuple[ScopeFacts, ...]
    metadata: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON types."""
        return asdict(self)


def facts_of(model: Model) -> Facts:
    """The facts of a loaded model."""
    proto, scopes = model.proto, scopes_of(model)
    stored = {tensor.name for tensor in proto.graph.initializer}
    operators = Counter(operator(node) for scope in scopes for node in scope.nodes)
    return Facts(
        model=model.label,
        file_bytes=len(model.buffer),
        ir_version=proto.ir_version,
        producer=" ".join(filter(None, (proto.producer_name, proto.producer_version))),
        opsets={entry.domain or "ai.onnx": entry.version for entry in proto.opset_import},
        inputs=tuple(_value(value) for value in proto.graph.input if value.name not in stored),
        outputs=tuple(_value(value) for value in proto.graph.output),
        nodes=operators.total(),
        operators=dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        weights=_weights(scopes),
        external=_external(model),
        subgraphs=tuple(ScopeFacts(s.label, len(s.nodes)) for s in scopes if s.id and not s.is_function),
        functions=tuple(ScopeFacts(s.label.removeprefix("function "), len(s.nodes)) for s in scopes if s.is_function),
        metadata={entry.key: entry.value for entry in proto.metadata_props},
    )


def operator(node: onnx.NodeProto) -> str:
    """The operator, with its domain unless that is ONNX's own."""
    return node.op_type if node.domain in STANDARD else f"{node.domain}.{node.op_type}"


def _value(value: onnx.ValueInfoProto) -> ValueFacts:
    kind: ValueType = from_value_info(value)
    return ValueFacts(value.name, dtype_name(kind.dtype), kind.dims, kind.kind)


def _weights(scopes: Sequence[Scope]) -> tuple[WeightFacts, ...]:
    """Initializers and Constant nodes of all scopes, the largest dtype first."""
    found: dict[str, list[int]] = {}
    for scope in scopes:
        for tensor in _stored(scope):
            elements = math.prod(max(size, 0) for size in tensor.dims)
            found.setdefault(dtype_name(tensor.data_type), []).append(elements)
    weights = [
        WeightFacts(dtype, len(sizes), sum(sizes), sum((count * _bits(dtype) + 7) // 8 for count in sizes))
        for dtype, sizes in found.items()
    ]
    return tuple(sorted(weights, key=lambda item: (-item.bytes, item.dtype)))


def _stored(scope: Scope) -> Iterator[onnx.TensorProto]:
    yield from scope.initializers.values()
    if isinstance(scope.proto, onnx.GraphProto):
        yield from (sparse.values for sparse in scope.proto.sparse_initializer)
    for node in scope.nodes:
        if node.op_type == "Constant" and not node.domain:
            yield from (a.t for a in node.attribute if a.type == onnx.AttributeProto.TENSOR)


def _bits(dtype: str) -> int:
    """Bits of one element, which most dtypes have in their name; 0 for strings and unknown types."""
    named = re.match(r"[a-z]+(\d+)", dtype)
    return int(named[1]) if named else {"float": 32, "double": 64, "bool": 8}.get(dtype, 0)


def _external(model: Model) -> dict[str, int]:
    files: dict[str, int] = {}
    for tensor in external_tensors(model.proto):
        location = place_of(tensor)[0]
        if location != SELF:
            files[location] = files.get(location, 0) + model.extent(tensor).length
    return dict(sorted(files.items()))
