"""Types of ONNX Runtime's own operators, which onnx knows nothing of: as far as their documentation tells them."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from onnxfix.model.attributes import integers_of
from onnxfix.model.quantized_types import QUANTIZED
from onnxfix.model.types import UNKNOWN, Dim, ValueType

MICROSOFT = ("com.microsoft", "com.microsoft.nchwc")

_TWINS = {
    "FusedConv": ("Conv", 3),
    "FusedGemm": ("Gemm", 3),
    "Conv": ("Conv", 3),
    "MaxPool": ("MaxPool", 1),
    "AveragePool": ("AveragePool", 1),
    "GlobalMaxPool": ("GlobalMaxPool", 1),
    "GlobalAveragePool": ("GlobalAveragePool", 1),
    "GridSample": ("GridSample", 2),
    "GatherND": ("GatherND", 2),
    "TorchEmbedding": ("Gather", 2),
}
"""Operators whose first output has the type of a standard operator's on the first inputs."""

_OWN = {"activation", "activation_params", "activation_alpha", "activation_beta", "activation_gamma", "mode"}
"""Attributes that a twin does not have, or does not need for its type."""

_SAME = {
    *("Gelu", "BiasGelu", "FastGelu", "QuickGelu", "ScaledSiLU", "BiasAdd", "BiasSoftmax", "BiasDropout", "Trilu"),
    *("Inverse", "SampleOp", "RotaryEmbedding", "GroupNorm", "SkipGroupNorm", "SkipLayerNormalization"),
    *("SkipSimplifiedLayerNormalization", "SimplifiedLayerNormalization", "LayerNormalization", "ComplexMul"),
}
"""Operators whose first output has the type of the first input; so has the fourth, where there is one."""


_EARLY = {"LayerNormalization", "SimplifiedLayerNormalization"}
"""Those of them that ONNX Runtime puts into the default domain of any opset."""


def standard_twin(node: onnx.NodeProto) -> onnx.NodeProto | None:
    """A standard node whose output has the type of this one's first output; None when no operator is like it."""
    if node.domain not in MICROSOFT or node.op_type not in _TWINS or not node.output:
        return None
    op_type, count = _TWINS[node.op_type]
    twin = onnx.NodeProto(op_type=op_type, input=node.input[:count], output=node.output[:1])
    twin.attribute.extend(attribute for attribute in node.attribute if attribute.name not in _OWN)
    return twin


def foreign_outputs(node: onnx.NodeProto, types: Mapping[str, ValueType]) -> dict[str, ValueType]:
    """What the operator's documentation tells of the outputs; `types` are those of the inputs."""
    if not node.output or not node.input:
        return {}
    inputs = [types.get(name, UNKNOWN) for name in node.input]
    found = ValueType()
    if node.op_type in _SAME and (node.domain in MICROSOFT or node.op_type in _EARLY):
        found = inputs[0]
    elif node.domain in MICROSOFT and node.op_type in _RULES:
        found = _RULES[node.op_type](node, inputs)
    outputs = {node.output[0]: found} if found.dtype else {}
    if found.dtype and node.op_type.startswith("Skip") and len(node.output) > 3:
        outputs[node.output[3]] = found
    return {name: kind for name, kind in outputs.items() if name}


def _attributes(node: onnx.NodeProto) -> dict[str, int]:
    return {a.name: a.i for a in node.attribute if a.type == onnx.AttributeProto.INT}


def _matmul(node: onnx.NodeProto, inputs: list[ValueType]) -> ValueType:
    """The rank and the last two sizes; the batch sizes of the operand of the higher rank."""
    given = _attributes(node)
    if given.get("transBatchA") or given.get("transBatchB") or len(inputs) < 2:
        return ValueType(inputs[0].dtype)
    a, b = inputs[0].dims, inputs[1].dims
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return ValueType(inputs[0].dtype)
    rows = a[-1] if given.get("transA") else a[-2]
    columns = b[-2] if given.get("transB") else b[-1]
    batch: tuple[Dim, ...] = a[:-2] if len(a) >= len(b) else b[:-2]
    if len(a) == len(b):
        batch = tuple(_broadcast(x, y) for x, y in zip(a[:-2], b[:-2], strict=True))
    return ValueType(inputs[0].dtype, (*batch, rows, columns))


def _broadcast(x: Dim, y: Dim) -> Dim:
    if x == y or y == 1:
        return x
    return y if x == 1 else x if isinstance(x, int) else y if isinstance(y, int) else None


def _attention(node: onnx.NodeProto, inputs: list[ValueType]) -> ValueType:
    sizes = integers_of(node, "qkv_hidden_sizes") or []
    weights = inputs[1].dims if len(inputs) > 1 else None
    hidden: Dim = sizes[2] if len(sizes) == 3 else None
    if not sizes and weights is not None and len(weights) == 2 and isinstance(weights[1], int):
        hidden = weights[1] // 3
    dims = inputs[0].dims
    return ValueType(inputs[0].dtype, None if dims is None or len(dims) != 3 else (dims[0], dims[1], hidden))


def _multi_head(node: onnx.NodeProto, inputs: list[ValueType]) -> ValueType:
    query, value = inputs[0], inputs[2] if len(inputs) > 2 else UNKNOWN
    heads = _attributes(node).get("num_heads", 0)
    if query.dims is None or len(query.dims) < 3:
        return ValueType(query.dtype)
    hidden: Dim = None
    if value.dims is not None and len(value.dims) == 3:
        hidden = value.dims[2]
    elif value.dims is not None and len(value.dims) == 4 and isinstance(value.dims[3], int):
        hidden = heads * value.dims[3]
    elif len(query.dims) == 5 and isinstance(query.dims[4], int):
        hidden = heads * query.dims[4]
    return ValueType(query.dtype, (query.dims[0], query.dims[1], hidden))


def _embedding(node: onnx.NodeProto, inputs: list[ValueType]) -> ValueType:
    del node
    words = inputs[2] if len(inputs) > 2 else UNKNOWN
    if inputs[0].dims is None or words.dims is None or len(words.dims) != 2:
        return ValueType(words.dtype)
    return ValueType(words.dtype, (*inputs[0].dims, words.dims[1]))


def _nbits(node: onnx.NodeProto, inputs: list[ValueType]) -> ValueType:
    dims = inputs[0].dims
    return ValueType(inputs[0].dtype, None if not dims else (*dims[:-1], _attributes(node).get("N")))


def _of_rank(node: onnx.NodeProto, inputs: list[ValueType]) -> ValueType:
    """The element type and the rank of the first input."""
    del node
    return ValueType(inputs[0].dtype, None if inputs[0].dims is None else (None,) * len(inputs[0].dims))


def _reordered(node: onnx.NodeProto, inputs: list[ValueType]) -> ValueType:
    """To blocks: the channels are filled up to an unknown size.  From blocks: `channels` of them stay."""
    dims, given = inputs[0].dims, _attributes(node)
    if dims is None or len(dims) < 3:
        return ValueType(inputs[0].dtype)
    last = bool(given.get("channels_last"))
    if node.op_type == "ReorderInput":
        spatial = dims[1:-1] if last else dims[2:]
        return ValueType(inputs[0].dtype, (dims[0], None, *spatial))
    kept = given.get("channels")
    return ValueType(inputs[0].dtype, (dims[0], *dims[2:], kept) if last else (dims[0], kept, *dims[2:]))


def _group_query(node: onnx.NodeProto, inputs: list[ValueType]) -> ValueType:
    if len(inputs) > 1 and inputs[1].dtype:
        return inputs[0]
    return _of_rank(node, inputs)


_RULES = {
    **QUANTIZED,
    "FusedMatMul": _matmul,
    "TransposeMatMul": _matmul,
    "FusedMatMulActivation": _matmul,
    "Attention": _attention,
    "MultiHeadAttention": _multi_head,
    "GroupQueryAttention": _group_query,
    "EmbedLayerNormalization": _embedding,
    "MatMulNBits": _nbits,
    "MatMulBnb4": _nbits,
    "NhwcConv": _of_rank,
    "NhwcFusedConv": _of_rank,
    "NhwcMaxPool": _of_rank,
    "ReorderInput": _reordered,
    "ReorderOutput": _reordered,
    "Upsample": _of_rank,
    "BiasSplitGelu": _of_rank,
    "ConvTransposeWithDynamicPads": _of_rank,
    "Pad": _of_rank,
    "CropAndResize": _of_rank,
}
