"""Element types and shapes of values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx

STANDARD = ("", "ai.onnx")
"""The two spellings of ONNX's own operator domain."""

Dim = int | str | None
"""A known size, a symbolic size (two dims of one name are equal), or unknown."""


@dataclass(frozen=True, slots=True)
class ValueType:
    """`dtype` is an onnx.TensorProto.DataType, 0 when unknown; `dims` is None when the rank is unknown.

    `kind` is "tensor", or "sequence", "optional", "map", "sparse_tensor" whose inner type is not kept.
    """

    dtype: int = 0
    dims: tuple[Dim, ...] | None = None
    kind: str = "tensor"

    @property
    def rank(self) -> int | None:
        """The number of dimensions, or None."""
        return None if self.dims is None else len(self.dims)

    @property
    def static(self) -> bool:
        """Whether every size is a known number."""
        return self.dims is not None and all(isinstance(dim, int) for dim in self.dims)

    @property
    def nbytes(self) -> int | None:
        """The bytes of a tensor's elements; None when a size or the element type is not known, and for texts."""
        if not self.static or not self.dtype or self.dims is None or self.dtype == onnx.TensorProto.STRING:
            return None
        item = onnx.helper.tensor_dtype_to_np_dtype(self.dtype).itemsize
        return math.prod(dim for dim in self.dims if isinstance(dim, int)) * item


UNKNOWN = ValueType()


def from_value_info(value: onnx.ValueInfoProto | None) -> ValueType:
    """The type that a ValueInfoProto declares."""
    if value is None:
        return UNKNOWN
    declared = value.type
    kind = declared.WhichOneof("value")
    if kind is None:
        return UNKNOWN
    if kind != "tensor_type":
        return ValueType(kind=kind.removesuffix("_type"))
    tensor = declared.tensor_type
    if not tensor.HasField("shape"):
        return ValueType(tensor.elem_type)
    return ValueType(tensor.elem_type, tuple([_dim(dim) for dim in tensor.shape.dim]))


def from_tensor(tensor: onnx.TensorProto) -> ValueType:
    """The type of a stored tensor."""
    return ValueType(tensor.data_type, tuple(tensor.dims))


def to_value_info(name: str, kind: ValueType) -> onnx.ValueInfoProto:
    """A ValueInfoProto of a tensor type; unknown parts are left out."""
    if kind.dtype:
        return onnx.helper.make_tensor_value_info(name, kind.dtype, kind.dims)
    return onnx.ValueInfoProto(name=name)


_NAMES = {number: name.lower() for name, number in onnx.TensorProto.DataType.items() if number} | {0: "unknown"}


def dtype_name(dtype: int) -> str:
    """`float`, `int64` … as ONNX text writes it; a number that is no type stays a number."""
    return _NAMES.get(dtype) or f"dtype {dtype}"


def schema_type(kind: onnx.TypeProto | None) -> str:
    """`tensor(float)`, `seq(tensor(float))` … as schemas write it; "" where an element type is not known."""
    which = kind.WhichOneof("value") if kind is not None else None
    if kind is None or which not in ("tensor_type", "sequence_type", "optional_type"):
        return ""
    if which == "tensor_type":
        return f"tensor({dtype_name(kind.tensor_type.elem_type)})" if kind.tensor_type.elem_type else ""
    held = schema_type(kind.sequence_type.elem_type if which == "sequence_type" else kind.optional_type.elem_type)
    return f"{'seq' if which == 'sequence_type' else 'optional'}({held})" if held else ""


def type_text(kind: ValueType) -> str:
    """`float[N,3,?]` as ONNX text writes it; without brackets when the rank is unknown, "" when nothing is known."""
    if kind.kind != "tensor":
        return kind.kind
    if kind.dims is None:
        return dtype_name(kind.dtype) if kind.dtype else ""
    return f"{dtype_name(kind.dtype)}[{','.join('?' if dim is None else str(dim) for dim in kind.dims)}]"


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Dim:
    size = dim.dim_value
    if size > 0 or (size == 0 and dim.HasField("dim_value")):
        return size
    return dim.dim_param or None
