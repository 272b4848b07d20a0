"""The models of `python -m benchmarks.speed`: valid ONNX, so that every tool can read them, with work to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SIDE = 4096
_MEGABYTE = 1_000_000


def blocks(count: int) -> onnx.ModelProto:
    """About `count` nodes at opset 13: residual blocks, behind each a Reshape whose shape four nodes compute.

    A repair makes constants of the shapes: seven of ten nodes stay.  Input and output are float[1, 4, 4, 4].
    """
    nodes: list[onnx.NodeProto] = []

    def add(op_type: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(nodes)}"
        nodes.append(helper.make_node(op_type, inputs, [name], name=f"node_{name}", **attributes))
        return name

    x = "x"
    while len(nodes) < count - 10:
        a = add("Relu", add("Add", x, "bias"))
        x = add("Add", add("LeakyRelu", add("Mul", a, add("Sigmoid", a)), alpha=0.1), x)
        batch = add("Gather", add("Shape", x), "zero", axis=0)
        x = add("Reshape", x, add("Concat", batch, "four", "four", "four", axis=0))
    nodes.append(helper.make_node("Identity", [x], ["y"], name="last"))
    stored = {"bias": np.ones((4, 4, 4), np.float32), "zero": np.array([0]), "four": np.array([4])}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 4, 4]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "blocks", values[:1], values[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def node_model(folder: Path, count: int) -> Path:
    """`blocks` as a file."""
    path = folder / f"blocks-{count}.onnx"
    if not path.exists():
        onnx.save(blocks(count), path)
    return path


def weight_model(folder: Path, size: int, *, sparse: bool = False) -> Path:
    """A chain of matrix products with about `size` bytes of external weights, and one computed Reshape to repair.

    Tensors have 4096 x 4096 floats, 16 times as many when `sparse`; the weight file then has a size and no content.
    """
    side = _SIDE * 4 if sparse else _SIDE
    bytes_each = side * side * 4
    count = max(1, round(size / bytes_each))
    path = folder / f"weights-{size // _MEGABYTE}.onnx"
    if path.exists():
        return path
    data = path.with_suffix(".data")
    with data.open("wb") as file:
        for number in range(0 if sparse else count):
            values = np.random.default_rng(number).random(side * 64, dtype=np.float32)
            file.writelines(np.roll(values, shift).tobytes() for shift in range(side // 64))
        file.truncate(count * bytes_each)
    onnx.save(_products(count, side, data.name), path)
    return path


def _products(count: int, side: int, data: str) -> onnx.ModelProto:
    nodes = [helper.make_node("MatMul", [f"h{i}", f"w{i}"], [f"h{i + 1}"], name=f"product_{i}") for i in range(count)]
    nodes += [
        helper.make_node("Shape", [f"h{count}"], ["sizes"], name="sizes"),
        helper.make_node("Gather", ["sizes", "zero"], ["batch"], name="batch", axis=0),
        helper.make_node("Concat", ["batch", "rest"], ["shape"], name="shape", axis=0),
        helper.make_node("Reshape", [f"h{count}", "shape"], ["y"], name="reshape"),
    ]
    shapes = {"h0": [1, side], "y": [1, side // 2, 2]}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    stored = [numpy_helper.from_array(np.array(v), n) for n, v in (("zero", [0]), ("rest", [side // 2, 2]))]
    stored += [_external(f"w{i}", side, data, i) for i in range(count)]
    graph = helper.make_graph(nodes, "products", values[:1], values[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _external(name: str, side: int, data: str, number: int) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[side, side])
    tensor.data_location = TensorProto.EXTERNAL
    length = side * side * 4
    for key, value in (("location", data), ("offset", number * length), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def detector(folder: Path, width: float, *, healthy: bool) -> Path:
    """YOLOv3 (248 MB at width 1): as converters of 2019 wrote it, or the same network in valid ONNX."""
    from fixtures import darknet
    from fixtures.__main__ import write

    path = folder / f"yolov3-{'healthy' if healthy else 'ailing'}.onnx"
    if not path.exists():
        write(darknet.build("yolov3", opset=None if healthy else 11, width=width, ailments=not healthy), path)
    return path


def many_models(folder: Path, count: int) -> Path:
    """A folder of small models, no two alike."""
    place = folder / f"models-{count}"
    place.mkdir(exist_ok=True)
    for number in range(count):
        model = blocks(30)
        model.graph.name = f"model_{number}"
        onnx.save(model, place / f"model-{number:04}.onnx")
    return place
