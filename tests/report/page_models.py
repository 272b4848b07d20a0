"""Models of any size, an edited copy of each, and one whose names are hostile."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxfix.changes.models import matched_models, report_of
from onnxfix.model import load
from onnxfix.report.page.document import Document, diff_document

HOSTILE = (
    "<script>window.broken = 1</script>",
    "</script><img src=x onerror='window.broken = 1'>",
    "\x1b[31mred\x1b[0m\nnew line",
    "x" * 10_000,
    "\u202egnirts \u200f\u2066mark",
    "%TITLE% ${1} {{2}} \\u003c & \" ' `",
)


def residual(size: int) -> onnx.ModelProto:
    """About `size` nodes: pairs of Conv and Relu, every second one with a shortcut around it."""
    nodes, weights, value, shortcut = [], [], "x", "x"
    generator = np.random.default_rng(0)
    for number in range(size * 2 // 5):
        weights.append(numpy_helper.from_array(generator.normal(size=(4, 4, 3, 3)).astype(np.float32), f"w{number}"))
        nodes.append(helper.make_node("Conv", [value, f"w{number}"], [f"c{number}"], f"conv_{number}", pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"], f"relu_{number}"))
        if number % 2:
            nodes.append(helper.make_node("Add", [f"r{number}", shortcut], [f"a{number}"], f"add_{number}"))
        value, shortcut = (f"a{number}", shortcut) if number % 2 else (f"r{number}", value)
    nodes[-1].output[0] = "y"
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 4, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def edited(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which the second Relu is a LeakyRelu, the first Conv is dilated, and the last weight is another."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    relu = [node for node in other.graph.node if node.op_type == "Relu"][1]
    relu.op_type = "LeakyRelu"
    other.graph.node[0].attribute.append(helper.make_attribute("dilations", [1, 1]))
    tensor = other.graph.initializer[-1]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(0.25), tensor.name))
    return other


def hostile() -> onnx.ModelProto:
    """Every name that can be hostile is."""
    nodes = []
    for place, name in enumerate(HOSTILE):
        source = HOSTILE[place - 1] if place else "x"
        node = helper.make_node("Elu", [source], [name], name, doc_string=name, domain="", alpha=place + 1.0)
        nodes.append(node)
    custom = helper.make_node("<b>Op</b>", [HOSTILE[-1]], ["y"], "<i>", domain="<u>.evil", text=HOSTILE[0])
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["<script>"]) for name in ("x", "y")]
    graph = helper.make_graph([*nodes, custom], HOSTILE[0], values[:1], values[1:], doc_string=HOSTILE[1])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("<u>.evil", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    helper.set_model_props(model, {HOSTILE[0]: HOSTILE[2]})
    return model


def compared(one: onnx.ModelProto, two: onnx.ModelProto) -> Document:
    """The document of two models."""
    models = matched_models(load(one), load(two))
    return diff_document(models, report_of(models, ("initializer-placement",), time.perf_counter()))


def saved(model: onnx.ModelProto, place: Path) -> Path:
    """The file it was written to."""
    onnx.save(model, place)
    return place
