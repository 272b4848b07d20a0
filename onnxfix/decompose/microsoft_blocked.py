"""The blocked layout of com.microsoft.nchwc, undone: channels in blocks of 8 or 16, which a processor likes.

A blocked tensor has the sizes (N, C, H, W) and its elements in the order N, C / block, H, W, block, with C filled up
to whole blocks.  Read as what it means it is a plain tensor with some channels of zeros, and every operator of the
domain is then a standard one.  Layouts: ONNX Runtime's NchwcTransformer and its MLAS kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.microsoft_conv import POOLING, SPATIAL, channels_first, channels_last, fused_activation, given
from onnxfix.decompose.op import Op
from onnxfix.model.attributes import integer_of
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope

DOMAIN = "com.microsoft.nchwc"
BLOCKS = (8, 16)

_SHAPELESS = {"Add", "Sum", "Mul", "Sub", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip", "HardSigmoid", "Elu"}
"""Standard operators that may read blocked tensors: they do not look at places."""


def possible_blocks(scope: Scope) -> list[int]:
    """The block sizes that the sizes of weights and outputs allow."""
    nodes = [node for node in scope.nodes if node.domain == DOMAIN]
    filled = [_channels(scope, node.input[1]) for node in nodes if node.op_type == "Conv"]
    rests = list(_fillings(scope))
    return [block for block in BLOCKS if all(size % block == 0 for size in filled) and max(rests, default=0) < block]


def _fillings(scope: Scope) -> Iterator[int]:
    """How many channels of zeros each ReorderOutput behind a Conv cuts off."""
    for node in scope.nodes:
        if node.domain == DOMAIN and node.op_type == "ReorderOutput" and node.input[0] in scope.producer:
            maker = scope.nodes[scope.producer[node.input[0]][0]]
            wanted = integer_of(node, "channels")
            if maker.domain == DOMAIN and maker.op_type == "Conv":
                yield _channels(scope, maker.input[1]) - wanted


def _channels(scope: Scope, name: str) -> int:
    dims = scope.type_of(name).dims
    return dims[0] if dims and isinstance(dims[0], int) else 1


def stranger(scope: Scope) -> str:
    """The operator of a node that reads a blocked tensor and looks at places in it, or ""."""
    blocked: set[str] = set()
    for node in scope.nodes:
        touched = blocked.intersection(node.input)
        if node.domain == DOMAIN:
            if node.op_type != "ReorderOutput":
                blocked.update(node.output)
        elif touched:
            joins = node.op_type == "Concat" and any(a.name == "axis" and a.i == 1 for a in node.attribute)
            if not joins and (node.op_type not in _SHAPELESS or node.domain):
                return node.op_type
            blocked.update(node.output)
    if blocked & scope.output_set:
        return "the graph"
    return ""


def unblocked(op: Op, block: int) -> None:
    """A node of the domain as standard nodes, its tensors read as what they mean."""
    op.require(op.node.op_type in _BODIES, f"{op.node.op_type} is not known")
    _BODIES[op.node.op_type](op, block)


def _reorder_input(op: Op, block: int) -> None:
    rank, x = len(op.dims(0)), op.input(0)
    last = bool(op.attribute("channels_last", 0))
    channels = op.dims(0)[-1 if last else 1]
    op.require(isinstance(channels, int), "the number of channels is not fixed")
    assert isinstance(channels, int)
    if last:
        x = op.make("Transpose", x, perm=channels_first(rank))
    missing = -channels % block
    op.finish(forms.pad(op, x, [0] * (rank + 1) + [missing] + [0] * (rank - 2)) if missing else op.make("Identity", x))


def _reorder_output(op: Op, block: int) -> None:
    del block
    rank = len(op.dims(0))
    x = forms.slices(op, op.input(0), [1], [0], [int(op.attribute("channels"))])
    op.finish(op.make("Transpose", x, perm=channels_last(rank)) if op.attribute("channels_last", 0) else x)


def _conv(op: Op, block: int) -> None:
    weights = op.const(plain_weights(op.values(1, "the weights"), block), op.dtype(1))
    value = op.make("Conv", op.input(0), weights, op.input(2), **given(op, SPATIAL))
    op.finish(fused_activation(op, op.make("Add", value, op.input(3)) if op.has(3) else value))


def plain_weights(weights: Array, block: int) -> Array:
    """Weights (O, I, h, w) out of blocks: of outputs, and of inputs too where these come in whole blocks."""
    outputs, inputs, *window = weights.shape
    if inputs % block:
        parts = weights.reshape(outputs // block, inputs, *window, block)
        return np.ascontiguousarray(parts.transpose(0, 4, 1, 2, 3)).reshape(weights.shape)
    parts = weights.reshape(outputs // block, inputs // block, *window, block, block)
    return np.ascontiguousarray(parts.transpose(0, 5, 1, 4, 2, 3)).reshape(weights.shape)


def _pool(op: Op, block: int) -> None:
    del block
    op.finish(op.make(op.node.op_type, op.input(0), **given(op, (*POOLING, "count_include_pad"))))


def _upsample(op: Op, block: int) -> None:
    """Whole factors, of the nearest element or by linear interpolation."""
    del block
    op.require(op.opset >= 11, "Resize needs opset 11")
    factors: Sequence[int] = op.attribute("scales")
    mode, place = op.attribute("mode", "nearest"), op.attribute("coordinate_transformation_mode", "asymmetric")
    scales = op.const(np.array(factors, dtype=np.float32))
    nearest = "floor" if mode == "nearest" else None
    roi = "" if op.opset >= 13 else op.const(np.zeros(0, dtype=np.float32))
    inputs = op.input(0), roi, scales
    op.finish(op.make("Resize", *inputs, mode=mode, coordinate_transformation_mode=place, nearest_mode=nearest))


_BODIES: dict[str, Callable[[Op, int], None]] = {
    "AveragePool": _pool,
    "Conv": _conv,
    "GlobalAveragePool": _pool,
    "GlobalMaxPool": _pool,
    "MaxPool": _pool,
    "ReorderInput": _reorder_input,
    "ReorderOutput": _reorder_output,
    "Upsample": _upsample,
}


def machine_block() -> int:
    """The block size of ONNX Runtime on this machine, 0 when it has none; runs in the sandbox."""
    from pathlib import Path

    import onnx
    import onnxruntime

    from onnxfix.scratch import scratch

    ones = ",".join("1" * 24)
    text = f"""<ir_version: 8, opset_import: ["" : 13]> g (float[1,3,4,4] x) => (float[1,8,4,4] y)
    <float[8,3,1,1] w = {{{ones}}}> {{ y = Conv (x, w) }}"""
    model = onnx.parser.parse_model(text)
    with scratch() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(folder, "blocked.onnx"))
        options.log_severity_level = 4
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    convolution = next((node for node in graph.node if node.domain == DOMAIN), None)
    stored = {tensor.name: tensor for tensor in graph.initializer}
    return int(stored[convolution.input[1]].dims[0]) if convolution is not None else 0
