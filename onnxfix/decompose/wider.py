"""Operators on types that an older opset lacks, done in a wider type that it has."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.carriers import lifted, wrapped
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.model.types import STANDARD, dtype_name
from onnxfix.opset.view import schema_at

_T = onnx.TensorProto
_WIDER: dict[int, tuple[int, ...]] = {
    **dict.fromkeys((_T.INT8, _T.INT16, _T.UINT8, _T.UINT16), (int(_T.INT32), int(_T.INT64), int(_T.DOUBLE))),
    _T.INT32: (int(_T.INT64), int(_T.DOUBLE)),
    _T.UINT32: (int(_T.INT64), int(_T.DOUBLE)),
    _T.BOOL: (int(_T.INT32), int(_T.UINT8), int(_T.FLOAT)),
    _T.BFLOAT16: (int(_T.FLOAT),),
    _T.FLOAT16: (int(_T.FLOAT),),
    _T.DOUBLE: (),
}
"""Types that hold every number of a type, in the order in which they are tried."""

_COMPUTING = frozenset({"Abs", "Add", "CumSum", "Div", "Mul", "Neg", "Pow", "ReduceProd", "ReduceSum", "Sub", "Sum"})
"""Operators whose result may leave the type of their inputs: in whole numbers only, which wrap around alike."""


def wider(op: Op) -> None:
    """A node with its inputs cast to a type that the next older version of the operator takes, and its outputs back.

    Copies, choices and comparisons change no number.  Sums and products of whole numbers keep their low bits, as in
    the narrow type; those of half types are rounded once, at the end.
    """
    dtype, node = _own_type(op), op.node
    carrier = next((kind for kind in _WIDER.get(dtype, ()) if _takes(op, kind)), None)
    if carrier is None:
        raise Unconcerned("no wider type is there")
    schema = schema_at(node.op_type, op.opset)
    assert schema is not None
    letter = _letter(op, schema)
    inputs = [
        _cast(op, name, carrier, _formal(schema.inputs, place) == letter) for place, name in enumerate(node.input)
    ]
    kept = {attribute.name: op.attribute(attribute.name) for attribute in node.attribute}
    made = op.many(node.op_type, inputs, len(node.output), **kept)
    back = [_formal(schema.outputs, place) == letter for place in range(len(made))]
    op.finish(*(_back(op, value, carrier, dtype) if same else value for value, same in zip(made, back, strict=True)))


def _back(op: Op, value: str, carrier: int, dtype: int) -> str:
    """In the narrow type; a bool is what is above zero, for the maximum of nothing is the least number."""
    if dtype == _T.BOOL:
        return op.make("Greater", value, op.const(np.array(0), carrier))
    return forms.cast(op, value, dtype)


def _formal(formals: object, place: int) -> str:
    listed = list(formals)  # type: ignore[call-overload]
    return str(listed[min(place, len(listed) - 1)].type_str)


def _letter(op: Op, schema: onnx.defs.OpSchema) -> str:
    """The type parameter that the data of a node has."""
    return _formal(schema.inputs, _place(op))


def _place(op: Op) -> int:
    return 1 if op.node.op_type == "Where" else 0


def _own_type(op: Op) -> int:
    if op.node.domain not in STANDARD:
        raise Unconcerned("it is not an operator of the standard")
    return op.dtype(_place(op))


def _takes(op: Op, dtype: int) -> bool:
    """Whether the operator exists one opset below, and takes a type there."""
    older = schema_at(op.node.op_type, op.opset - 1)
    if older is None or (op.node.op_type in _COMPUTING and dtype == _T.DOUBLE):
        return False
    letter = _formal(older.inputs, _place(op))
    allowed = {name for c in older.type_constraints if c.type_param_str == letter for name in c.allowed_type_strs}
    known = f"tensor({dtype_name(op.dtype(_place(op)))})" in allowed
    return not known and f"tensor({dtype_name(dtype)})" in allowed


def _cast(op: Op, value: str, dtype: int, wanted: bool) -> str:
    return forms.cast(op, value, dtype) if wanted and value else value


def odd_bitwise(op: Op) -> None:
    """Bitwise operators of int8, int16 and unsigned integers on the same bits of int32 or int64."""
    dtype = op.dtype(0)
    if dtype in (_T.INT32, _T.INT64):
        raise Unconcerned("its type is one to compute with")
    values = [lifted(op, name, dtype) for name in op.node.input]
    result = op.make(op.node.op_type, *values)
    carrier = int(_T.INT64 if dtype in (_T.UINT32, _T.UINT64) else _T.INT32)
    op.finish(forms.cast(op, wrapped(op, result, carrier, dtype), dtype))
