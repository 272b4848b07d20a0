"""One node in the carriers of its small types: Casts around the same operator, and wrap-around by arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx

from onnxfix.actions.dtype_intervals import INT64 as INT64_RANGE
from onnxfix.actions.dtype_intervals import inside
from onnxfix.actions.dtype_narrowing import RETYPED
from onnxfix.actions.dtype_ranges import MOVING, Ranges
from onnxfix.actions.dtype_slots import Signature, signature
from onnxfix.decompose import forms, integers, quantized, quantized_microsoft, quantized_products
from onnxfix.decompose.carriers import BITS, CARRIER, FLOAT, PLAIN_FLOATS, wrapped
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.model.types import dtype_name

_T = onnx.TensorProto

_MOVING = MOVING | {"Pad", "DepthToSpace", "SpaceToDepth", "Trilu", "Shape", "Size", "ConstantOfShape", "EyeLike"}
_ORDERED = frozenset(
    {
        *("Max", "Min", "Clip", "ReduceMax", "ReduceMin", "TopK", "ArgMax", "ArgMin", "Sign", "Relu", "Mod", "MaxPool"),
        *("Less", "Greater", "LessOrEqual", "GreaterOrEqual", "OneHot", "NonZero"),
    }
)
"""Operators whose results depend on the size of the numbers, and never leave the range of their type."""

_RING = frozenset({"Add", "Sub", "Mul", "Neg", "Sum", "ReduceSum", "ReduceProd", "CumSum", "CumProd", "MatMul", "Gemm"})
"""Operators whose low bits depend on the low bits of the operands only."""

_LARGER = frozenset({"Abs", "Div", "Range", "BitwiseNot"})
"""Operators that make numbers beyond the type, of operands that must have their true size."""

_BITS = frozenset({"BitwiseAnd", "BitwiseOr", "BitwiseXor", "Equal"})


def cast_like(op: Op) -> None:
    """CastLike is a Cast to the element type of its second input."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in op.node.attribute}
    op.finish(op.make("Cast", op.input(0), to=op.dtype(1), **given))


def power(op: Op) -> None:
    """Pow of a float by an integer: the exponent as a float of the same type."""
    op.require(op.dtype(0) in PLAIN_FLOATS, "it is not a float that is raised")
    op.finish(op.make("Pow", op.input(0), forms.cast(op, op.input(1), op.dtype(0))))


OWN: Mapping[str, Callable[[Op], None]] = {
    **quantized_microsoft.MICROSOFT,
    "BitCast": integers.bit_cast,
    "BitShift": integers.bit_shift,
    "CastLike": cast_like,
    "ConvInteger": quantized_products.conv_integer,
    "DequantizeLinear": quantized.dequantize_linear,
    "DynamicQuantizeLinear": quantized.dynamic_quantize_linear,
    "MatMulInteger": quantized_products.matmul_integer,
    "Pow": power,
    "QLinearConv": quantized_products.qlinear_conv,
    "QLinearMatMul": quantized_products.qlinear_matmul,
    "QuantizeLinear": quantized.quantize_linear,
}
"""Operators that are written in other ones instead."""


def on_carriers(op: Op, types: frozenset[int], ranges: Ranges) -> None:
    """Put Casts around a node that reads or makes one of the small types.

    Raises NoRewrite for an operator that does not compute the same in a wider type.
    """
    kind = op.node.op_type
    if kind in OWN:
        OWN[kind](op)
        return
    found = signature(op.scope, op.node)
    op.require(kind in _MOVING | _ORDERED | _RING | _LARGER | _BITS, "it is not known to do the same in a wider type")
    if found is None:
        raise NoRewrite("the types of the operator are not known")
    groups = _groups(op, found, types)
    if kind in _ORDERED | _LARGER:
        _require_size(op, ranges, groups)
    inputs = [_lifted(op, name, groups.get(slot.group)) for name, slot in zip(op.node.input, found.inputs, strict=True)]
    made = op.many(kind, inputs, len(op.node.output), **_attributes(op, groups))
    op.finish(*(_lowered(op, value, groups.get(s.group)) for value, s in zip(made, found.outputs, strict=True)))


def _groups(op: Op, found: Signature, types: frozenset[int]) -> dict[str, tuple[int, int]]:
    """For each type variable that is a small type: (the small type, the type to compute in)."""
    pairs = [*zip(op.node.input, found.inputs, strict=True), *zip(op.node.output, found.outputs, strict=True)]
    small = {s.group: d for name, s in pairs if name and (d := op.scope.type_of(name).dtype) in types and s.group}
    groups: dict[str, tuple[int, int]] = {}
    for group, dtype in small.items():
        allowed = found.allowed(group)
        exact = BITS.get(dtype, 0) <= 16
        carrier = CARRIER[dtype] if CARRIER[dtype] in allowed else FLOAT if FLOAT in allowed and exact else 0
        op.require(bool(carrier), f"{op.node.op_type} takes no wider type than {dtype_name(dtype)} at opset {op.opset}")
        groups[group] = (dtype, carrier)
    return groups


def _require_size(op: Op, ranges: Ranges, groups: Mapping[str, tuple[int, int]]) -> None:
    """int64 has the bits of every uint64, and the size of those below 2**63 only."""
    if any(dtype == _T.UINT64 for dtype, _ in groups.values()):
        names = [name for name in op.node.input if op.scope.type_of(name).dtype == _T.UINT64]
        small = all(inside(ranges.of(name), INT64_RANGE) for name in names)
        op.require(small, "a uint64 may be 2**63 or more, where int64 ends")


def _lifted(op: Op, name: str, group: tuple[int, int] | None) -> str:
    return forms.cast(op, name, group[1]) if group and name else name


def _lowered(op: Op, value: str, group: tuple[int, int] | None) -> str:
    if group is None:
        return value
    dtype, carrier = group
    if op.node.op_type in _RING | _LARGER and carrier != FLOAT:
        value = wrapped(op, value, carrier, dtype)
    op.require(carrier != FLOAT or op.node.op_type not in _RING | _LARGER or dtype not in BITS, "it may wrap around")
    return forms.cast(op, value, dtype)


def _attributes(op: Op, groups: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """The node's attributes, with the type of the result where one gives it."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in op.node.attribute}
    wanted = RETYPED.get(op.node.op_type) or ("dtype" if op.node.op_type == "EyeLike" else "")
    carriers = [carrier for _, carrier in groups.values()]
    if wanted and carriers and op.node.op_type == "ConstantOfShape":
        values = onnx.numpy_helper.to_array(given["value"])
        numpy_type = onnx.helper.tensor_dtype_to_np_dtype(carriers[0])
        given["value"] = onnx.numpy_helper.from_array(np.asarray(values.astype(numpy_type)))
    elif wanted and carriers and wanted in given:
        given[wanted] = carriers[0]
    return given
