"""Small networks as exporters write them, and as ONNX Runtime saves them after optimizing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from onnxfix.model.model import Array


def optimized(model: onnx.ModelProto, level: str) -> onnx.ModelProto:
    """The model that ONNX Runtime saves at level "BASIC", "EXTENDED" or "ALL"."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
        options.optimized_model_filepath = str(Path(folder, "optimized.onnx"))
        options.log_severity_level = 4
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def fused(model: onnx.ModelProto, hidden: int, *, half: bool) -> onnx.ModelProto:
    """The model that ONNX Runtime's transformer tools make of an encoder, on request in float16 inside."""
    from onnxruntime.transformers.optimizer import optimize_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        onnx.save(model, path)
        result = optimize_model(str(path), model_type="bert", num_heads=2, hidden_size=hidden, opt_level=0)
    if half:
        result.convert_float_to_float16()
    made: onnx.ModelProto = result.model
    return made


def operators(model: onnx.ModelProto) -> set[str]:
    """The operators of the main graph, with their domains."""
    return {".".join(filter(None, (node.domain, node.op_type))) for node in model.graph.node}


class Network:
    """Builds a graph node by node."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(seed)

    def weight(self, *shape: int) -> str:
        """Random numbers of a shape."""
        return self.constant((self.random.normal(size=shape) * 0.2).astype(np.float32))

    def constant(self, values: Array | float | list[int]) -> str:
        """A number is float, a list is int64."""
        array = np.array(values, dtype=np.int64 if isinstance(values, list) else None)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        self.stored.append(numpy_helper.from_array(array, f"w{len(self.stored)}"))
        return self.stored[-1].name

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """A node, whose output is returned."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"/{op_type}_{name}", **attributes))
        return name

    def model(
        self, inputs: Mapping[str, tuple[int, list[int | str]]], result: str, shape: list[int | str], opset: int
    ) -> onnx.ModelProto:
        """The model with one output, y."""
        self.nodes.append(helper.make_node("Identity", [result], ["y"]))
        given = [helper.make_tensor_value_info(name, kind, dims) for name, (kind, dims) in inputs.items()]
        made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
        graph = helper.make_graph(self.nodes, "network", given, made, self.stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _norm(net: Network, x: str, size: int) -> str:
    centred = net.add("Sub", x, net.add("ReduceMean", x, axes=[-1]))
    variance = net.add("ReduceMean", net.add("Pow", centred, net.constant(2.0)), axes=[-1])
    deviation = net.add("Sqrt", net.add("Add", variance, net.constant(1e-5)))
    scaled = net.add("Mul", net.add("Div", centred, deviation), net.weight(size))
    return net.add("Add", scaled, net.weight(size))


def _gelu(net: Network, x: str, exact: bool) -> str:
    if exact:
        gate = net.add("Erf", net.add("Div", x, net.constant(2**0.5)))
        gated = net.add("Mul", x, net.add("Add", gate, net.constant(1.0)))
        return net.add("Mul", gated, net.constant(0.5))
    cube = net.add("Mul", net.add("Pow", x, net.constant(3.0)), net.constant(0.044715))
    gate = net.add("Tanh", net.add("Mul", net.add("Add", x, cube), net.constant(0.7978845608)))
    return net.add("Mul", net.add("Mul", x, net.constant(0.5)), net.add("Add", gate, net.constant(1.0)))


def _linear(net: Network, x: str, size: int, to: int) -> str:
    return net.add("Add", net.add("MatMul", x, net.weight(size, to)), net.weight(to))


def _attend(net: Network, x: str, mask: str, size: int, heads: int) -> str:
    cut = [0, 0, heads, size // heads]
    parts = [net.add("Reshape", _linear(net, x, size, size), net.constant(cut)) for _ in range(3)]
    query, value = (net.add("Transpose", part, perm=[0, 2, 1, 3]) for part in parts[::2])
    key = net.add("Transpose", net.add("Transpose", parts[1], perm=[0, 2, 1, 3]), perm=[0, 1, 3, 2])
    scores = net.add("Div", net.add("MatMul", query, key), net.constant((size / heads) ** 0.5))
    weights = net.add("Softmax", net.add("Add", scores, mask), axis=-1)
    joined = net.add("Transpose", net.add("MatMul", weights, value), perm=[0, 2, 1, 3])
    return _linear(net, net.add("Reshape", joined, net.constant([0, 0, size])), size, size)


def encoder(sizes: tuple[int | str, int | str], opset: int, size: int = 8) -> onnx.ModelProto:
    """Two blocks of BERT: norms behind, the exact Gelu, a padding mask."""
    net = Network(0)
    x = _norm(net, net.add("Gather", net.weight(30, size), "ids", axis=0), size)
    wide = "mask"
    for axis in (1, 2):
        wide = (
            net.add("Unsqueeze", wide, net.constant([axis])) if opset >= 13 else net.add("Unsqueeze", wide, axes=[axis])
        )
    kept = net.add("Sub", net.constant(1.0), net.add("Cast", wide, to=TensorProto.FLOAT))
    mask = net.add("Mul", kept, net.constant(-10000.0))
    for _ in range(2):
        x = _norm(net, net.add("Add", _attend(net, x, mask, size, 2), x), size)
        inner = _linear(net, _gelu(net, _linear(net, x, size, 4 * size), True), 4 * size, size)
        x = _norm(net, net.add("Add", inner, x), size)
    given = {name: (TensorProto.INT64, list(sizes)) for name in ("ids", "mask")}
    return net.model(given, x, [*sizes, size], opset)


def decoder(opset: int, size: int = 8) -> onnx.ModelProto:
    """Two blocks of GPT-2: norms before, Gelu by tanh, a causal mask cut out of a table."""
    net = Network(1)
    x = net.add("Gather", net.weight(30, size), "ids", axis=0)
    length = net.add("Slice", net.add("Shape", "ids"), net.constant([1]), net.constant([2]))
    table = net.constant(np.where(np.tri(32), 0, -3.4e38).astype(np.float32)[None, None])
    for axis in (2, 3):
        table = net.add("Slice", table, net.constant([0]), length, net.constant([axis]))
    for _ in range(2):
        x = net.add("Add", x, _attend(net, _norm(net, x, size), table, size, 2))
        inner = _gelu(net, _linear(net, _norm(net, x, size), size, 4 * size), False)
        x = net.add("Add", x, _linear(net, inner, 4 * size, size))
    logits = net.add("MatMul", _norm(net, x, size), net.weight(size, 30))
    return net.model({"ids": (TensorProto.INT64, ["N", "S"])}, logits, ["N", "S", 30], opset)


def convolutional(batch: int | str, opset: int, channels: tuple[int, int, int] = (16, 32, 24)) -> onnx.ModelProto:
    """A small CNN: a residual sum, a depthwise and a clipped convolution, poolings, and channels joined."""
    net, (a, b, c) = Network(2), channels

    def conv(x: str, of: int, to: int, kernel: int = 3, group: int = 1) -> str:
        around = [kernel // 2] * 4
        return net.add("Conv", x, net.weight(to, of // group, kernel, kernel), net.weight(to), pads=around, group=group)

    x = net.add("Relu", conv("x", 3, a))
    x = net.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = net.add("Relu", net.add("Add", conv(net.add("Relu", conv(x, a, a)), a, a), x))
    x = net.add("Relu", conv(net.add("Relu", conv(x, a, b, 1)), b, b, 3, b))
    x = net.add("Clip", conv(x, b, c, 1), net.constant(0.0), net.constant(6.0))
    x = net.add("Concat", x, net.add("Relu", conv(x, c, a)), axis=1)
    x = net.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.add("Flatten", net.add("GlobalAveragePool", x), axis=1)
    x = net.add("Gemm", x, net.weight(a + c, 5), net.weight(5))
    return net.model({"x": (TensorProto.FLOAT, [batch, 3, 16, 16])}, x, [batch, 5], opset)
