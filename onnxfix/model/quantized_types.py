"""Types of the quantized operators of com.microsoft, as their documentation tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import onnx

from onnxfix.model.attributes import integer_of
from onnxfix.model.types import UNKNOWN, Dim, ValueType

_FLOAT = int(onnx.TensorProto.FLOAT)

Inputs = Sequence[ValueType]


def _at(inputs: Inputs, position: int) -> ValueType:
    return inputs[position] if position < len(inputs) else UNKNOWN


def broadcast(left: Sequence[Dim] | None, right: Sequence[Dim] | None) -> tuple[Dim, ...] | None:
    """The sizes of an elementwise result."""
    if left is None or right is None:
        return None
    rank = max(len(left), len(right))
    wide = [(*[1] * (rank - len(dims)), *dims) for dims in (left, right)]
    return tuple(_one(a, b) for a, b in zip(*wide, strict=True))


def _one(a: Dim, b: Dim) -> Dim:
    if a == b or b == 1:
        return a
    return b if a == 1 else a if isinstance(a, int) and a > 1 else b if isinstance(b, int) and b > 1 else None


def _binary(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    del node
    return ValueType(_at(inputs, 7).dtype or inputs[0].dtype, broadcast(inputs[0].dims, _at(inputs, 3).dims))


def _unary(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    del node
    return ValueType(_at(inputs, 4).dtype or inputs[0].dtype, inputs[0].dims)


def _pool(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    dims, kind = inputs[0].dims, _at(inputs, 4).dtype or inputs[0].dtype
    if dims is None or len(dims) < 3:
        return ValueType(kind)
    plane: Dim = 1 if node.op_type == "QLinearGlobalAveragePool" else None
    planes = (plane,) * (len(dims) - 2)
    return ValueType(kind, (dims[0], *planes, dims[-1]) if integer_of(node, "channels_last") else (*dims[:2], *planes))


def _concat(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    given = [kind.dims for kind in inputs[2::3]]
    known = [dims for dims in given if dims is not None]
    if len(known) < len(given) or not known:
        return ValueType(_at(inputs, 1).dtype)
    axis = integer_of(node, "axis") % len(known[0])
    sizes = [dims[axis] for dims in known]
    whole = [size for size in sizes if isinstance(size, int)]
    merged = list(known[0])
    merged[axis] = sum(whole) if len(whole) == len(sizes) else None
    return ValueType(_at(inputs, 1).dtype, tuple(merged))


def _gemm(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    kind = _at(inputs, 8).dtype if len(node.input) > 8 and node.input[8] else _FLOAT
    a, b = inputs[0].dims, _at(inputs, 3).dims
    if a is None or b is None or len(a) != 2 or len(b) != 2:
        return ValueType(kind)
    return ValueType(kind, (a[1 if integer_of(node, "transA") else 0], b[0 if integer_of(node, "transB") else 1]))


def _product(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    del node
    a, b = inputs[0].dims, _at(inputs, 1).dims
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return ValueType(_FLOAT)
    return ValueType(_FLOAT, (*(broadcast(a[:-2], b[:-2]) or ()), a[-2], b[-1]))


def _attention(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    del node
    dims, weights = inputs[0].dims, _at(inputs, 1).dims
    size = weights[1] if weights is not None and len(weights) == 2 else None
    hidden = size // 3 if isinstance(size, int) else None
    return ValueType(_FLOAT, None if dims is None or len(dims) != 3 else (dims[0], dims[1], hidden))


def _steps(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    dims, directions = inputs[0].dims, _at(inputs, 1).dims
    if dims is None or len(dims) != 3 or directions is None:
        return ValueType(_FLOAT, (None,) * 4)
    return ValueType(_FLOAT, (dims[0], directions[0], dims[1], integer_of(node, "hidden_size") or None))


def _conv(node: onnx.NodeProto, inputs: Inputs) -> ValueType:
    del node
    dims = inputs[0].dims
    return ValueType(_at(inputs, 7).dtype, None if dims is None else (dims[0], *(None,) * (len(dims) - 1)))


QUANTIZED: Mapping[str, Callable[[onnx.NodeProto, list[ValueType]], ValueType]] = {
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), _binary),
    **dict.fromkeys(("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax"), _unary),
    **dict.fromkeys(("QLinearGlobalAveragePool", "QLinearAveragePool"), _pool),
    "QLinearConcat": _concat,
    "QAttention": _attention,
    "QGemm": _gemm,
    "QLinearConv": _conv,
    "DynamicQuantizeLSTM": _steps,
    **dict.fromkeys(("MatMulIntegerToFloat", "DynamicQuantizeMatMul"), _product),
}
"""The type of the first output, from the node and the types of its inputs."""
