"""What a model's inputs may hold: type, shape, and the range in which their values make sense.

An integer input that selects rows must stay inside the axis, one that is a size must stay small. This is read off
the nodes that an input reaches directly, or through nodes that only move values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import onnx

from onnxfix.errors import OnnxfixError
from onnxfix.model import Model
from onnxfix.model.attributes import integer_of
from onnxfix.model.declared import declared_dims, parameter
from onnxfix.model.inference import typed_scopes
from onnxfix.model.scope import Scope, scopes_of
from onnxfix.model.types import Dim, from_value_info

Size = int | str

_INTEGERS = {onnx.TensorProto.DataType.Value(name) for name in ("INT8", "INT16", "INT32", "INT64")}
_UNSIGNED = {onnx.TensorProto.DataType.Value(name) for name in ("UINT8", "UINT16", "UINT32", "UINT64")}
_MOVERS = {"Cast", "Identity", "Unsqueeze", "Squeeze", "Transpose", "Concat", "Slice", "Flatten", "Split"}
_MOVERS |= {"Abs", "Ceil", "Floor", "Round"}  # no change to positive whole numbers
_ARITHMETIC = {"Add", "Sub", "Mul", "Neg", "Abs", "Relu", "Max", "Min", "Clip", "Sign", "Equal", "Less", "Greater"}
_ARITHMETIC |= {
    "Sum",
    "Mean",
    "Where",
    "Cast",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceMean",
    "Div",
    "Mod",
    "Not",
}
# (operator, input): smallest and one past the largest value that every graph takes.
_RANGES: dict[tuple[str, int], tuple[int, int]] = {
    **{(name, 1): (1, 8) for name in ("Div", "Mod")},
    **{(name, 1): (0, 1) for name in ("CumProd", "CumSum", "Trilu", "SequenceAt", "Slice")},
    ("DFT", 2): (0, 2),
    ("Slice", 2): (2, 3),
    ("Slice", 4): (1, 2),
    ("Range", 0): (0, 1),
    ("Range", 1): (4, 6),
    ("Range", 2): (1, 2),
    ("TopK", 1): (1, 2),
    ("Pad", 1): (0, 2),
    ("Expand", 1): (1, 2),
    ("Tile", 1): (1, 3),
    ("ConstantOfShape", 0): (1, 4),
    ("OneHot", 1): (4, 5),
    ("Loop", 0): (2, 4),
    ("NonMaxSuppression", 2): (3, 4),
}
_INDICES = {("Gather", 1), ("GatherElements", 1), ("GatherND", 1)}
_INDICES |= {("ScatterElements", 1), ("Scatter", 1), ("ScatterND", 1), ("RoiAlign", 2)}
_LENGTHS = {("LSTM", 4), ("GRU", 4), ("RNN", 4)}
_FORMS = {("Reshape", 1): "reshape", ("Resize", 3): "sizes", ("Resize", 2): "scales", ("Upsample", 1): "scales"}
_FORMS |= {
    ("AffineGrid", 1): "grid",
    ("MaxUnpool", 2): "sizes",
    ("Slice", 3): "axes",
    ("Pad", 3): "axes",
    ("Unsqueeze", 1): "axes",
    ("Squeeze", 1): "axes",
    ("Split", 1): "parts",
}
_FORMS |= {(f"Reduce{name}", 1): "axes" for name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare")}
_FORMS |= {(f"Reduce{name}", 1): "axes" for name in ("LogSum", "LogSumExp")}


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input. `dtype` is an onnx.TensorProto.DataType; `dims` has a name for every size that is not fixed.

    Integers lie in [low, high), and below every size in `limits`. `form` is set for a vector that must fit the
    tensor with the dims `limits`: "reshape" (Reshape's shape), "sizes" and "scales" (Resize's), "axes", "parts"
    (Split's, whose `limits` has the one size to split) and "grid" (AffineGrid's size).  `exact` has all the numbers
    where the shapes that the model declares leave no choice.
    """

    name: str
    dtype: int
    dims: tuple[Size, ...]
    low: int = 0
    high: int = 8
    limits: tuple[Size, ...] = ()
    form: str = ""
    exact: tuple[float, ...] = ()


def input_specs(model: Model) -> list[InputSpec]:
    """The inputs of the main graph that have no stored value.

    Raises OnnxfixError for an input that is no tensor or has no shape: nothing sensible can be made up for it.
    """
    stored = {tensor.name for tensor in model.proto.graph.initializer}
    values = [value for value in model.proto.graph.input if value.name not in stored]
    specs = [_declared(value) for value in values]
    if not any(spec.dtype in _INTEGERS | _UNSIGNED or len(spec.dims) < 2 for spec in specs):
        return specs
    scopes = typed_scopes(model)[0] if any(s.dtype in _INTEGERS | _UNSIGNED for s in specs) else scopes_of(model)
    return [_narrowed(spec, list(_uses(spec.name, scopes))) for spec in specs]


def _declared(value: onnx.ValueInfoProto) -> InputSpec:
    kind = from_value_info(value)
    hint = "give inputs in a .npz file"
    if kind.kind != "tensor" or not kind.dtype:
        article = "an" if kind.kind.startswith("o") else "a"
        what = f"is {article} {kind.kind.replace('_', ' ')}" if kind.kind != "tensor" else "has no type"
        raise OnnxfixError(f"input {value.name!r} {what}, so no values can be made up for it", hint=hint)
    if kind.dims is None:
        raise OnnxfixError(f"input {value.name!r} has no shape, so no values can be made up for it", hint=hint)
    return InputSpec(value.name, kind.dtype, _named(value.name, kind.dims))


def _named(name: str, dims: Sequence[Dim]) -> tuple[Size, ...]:
    return tuple(f"{name}[{axis}]" if dim is None else dim for axis, dim in enumerate(dims))


def _uses(name: str, scopes: Sequence[Scope]) -> Iterator[tuple[Scope, onnx.NodeProto, int]]:
    """(scope, node, input position) of every node that reads the value, or reads it after it was moved."""
    pending, seen = [name], {name}
    while pending:
        value = pending.pop()
        for scope in scopes:
            for index, position in scope.users.get(value, ()):
                if position < 0:
                    continue
                node = scope.nodes[index]
                yield scope, node, position
                first = 0 if node.op_type == "Gather" else position
                moved = node.op_type in _MOVERS or (node.op_type in ("Reshape", "Gather") and position == first == 0)
                if moved and (node.op_type == "Concat" or position == 0):
                    pending += [output for output in node.output if output not in seen]
                    seen.update(node.output)


def _narrowed(spec: InputSpec, uses: list[tuple[Scope, onnx.NodeProto, int]]) -> InputSpec:
    for scope, node, position in uses:
        numbers = parameter(scope, node, position)
        if numbers and all(isinstance(dim, int) for dim in spec.dims) and _size(spec) == len(numbers):
            return replace(spec, exact=tuple(numbers))
        form = _FORMS.get((node.op_type, position))
        if form:
            dims = _named(node.input[0], scope.type_of(node.input[0]).dims or ())
            if form == "reshape" and (numbers := _declared_shape(scope, node)) and _size(spec) == len(numbers):
                return replace(spec, exact=tuple(numbers))
            if form == "parts":
                dims = tuple(_axis_sizes(scope, node))
            return replace(spec, form=form, limits=dims)
    if spec.dtype not in _INTEGERS | _UNSIGNED:
        return spec
    low, high = _plain_range(spec, {node.op_type for _, node, _ in uses})
    limits: list[Size] = []
    for scope, node, position in uses:
        use = (node.op_type, position)
        if use in _RANGES:
            low, high = max(low, _RANGES[use][0]), min(high, _RANGES[use][1])
        if use in _INDICES or use in _LENGTHS or use == ("OneHot", 0):
            limits += _axis_sizes(scope, node)
            low = max(low, int(use in _LENGTHS))
    return replace(spec, low=low, high=1 << 16 if limits else max(high, low + 1), limits=tuple(limits))


def _declared_shape(scope: Scope, node: onnx.NodeProto) -> list[float]:
    """The new shape that the model declares for a Reshape; [] when it does not, or when a size of 0 means a copy."""
    dims = declared_dims(scope, node.output[0]) or ()
    copied = 0 in dims and integer_of(node, "allowzero") != 1
    return [] if copied else [float(dim) for dim in dims if isinstance(dim, int)]


def _size(spec: InputSpec) -> int:
    return math.prod(dim for dim in spec.dims if isinstance(dim, int))


def _plain_range(spec: InputSpec, operators: set[str]) -> tuple[int, int]:
    if spec.dtype == onnx.TensorProto.UINT8 and len(spec.dims) >= 3:  # an image
        return 0, 256
    signed = spec.dtype in _INTEGERS and operators <= _ARITHMETIC
    return (-8 if signed else 0), 8


def _axis_sizes(scope: Scope, node: onnx.NodeProto) -> list[Size]:
    """The sizes that the index must stay below; [1] when they are unknown, which leaves index 0."""
    if node.op_type == "OneHot":
        depth = scope.array(node.input[1])
        return [1 if depth is None else int(depth.item())]
    dims = scope.type_of(node.input[0]).dims
    if not dims:
        return [1]
    named = _named(node.input[0], dims)
    if node.op_type in ("GatherND", "ScatterND"):
        return list(named)
    axis = integer_of(node, "axis")
    return [named[axis]] if -len(named) <= axis < len(named) else [1]
