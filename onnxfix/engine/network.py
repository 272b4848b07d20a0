"""What the parser made of a model: its tensors and layers, and the names of its dimensions."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from onnxfix.engine.profile import Naming, Profile
from onnxfix.engine.records import Layer
from onnxfix.engine.tensors import IoTensor, numpy_name

_NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")


def inputs_of(network: Any) -> list[Any]:
    """The network's inputs."""
    return [network.get_input(index) for index in range(network.num_inputs)]


def naming(path: str) -> Naming:
    """How to find the name of a dimension: asked of the library or, before 8.6, read from the ONNX file `path`."""

    @functools.cache
    def file_names() -> dict[str, list[str]]:
        import onnx

        graph = onnx.load(path, load_external_data=False).graph
        return {value.name: [dim.dim_param for dim in value.type.tensor_type.shape.dim] for value in graph.input}

    def name(tensor: Any, axis: int) -> str:
        if hasattr(tensor, "get_dimension_name"):
            return tensor.get_dimension_name(axis) or ""
        names = file_names().get(tensor.name, [])
        return names[axis] if axis < len(names) else ""

    return name


def tensors_of(network: Any, profiles: Sequence[Profile]) -> tuple[IoTensor, ...]:
    """Inputs and outputs, with the ranges of every profile."""
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    inputs = [_tensor(tensor, profiles, True) for tensor in inputs_of(network)]
    return (*inputs, *(_tensor(tensor, (), False) for tensor in outputs))


def _tensor(tensor: Any, profiles: Sequence[Profile], is_input: bool) -> IoTensor:
    own = [item for profile in profiles for item in profile if item.name == tensor.name]
    return IoTensor(
        tensor.name,
        is_input,
        numpy_name(tensor.dtype.name),
        tuple(tensor.shape),
        values=any(item.values for item in own),
        ranges=tuple((item.smallest, item.best, item.largest) for item in own),
    )


def layers_of(network: Any) -> Iterator[Layer]:
    """Every layer; what the parser added for itself has no ONNX node, or that of the node it helps."""
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        # Before 8.6 there is no metadata, and a layer has the name of its node.
        nodes = onnx_nodes(layer.metadata) if hasattr(layer, "metadata") else (layer.name,)
        yield Layer(layer.name, layer.type.name, nodes, _dtypes(layer))


def onnx_nodes(metadata: str) -> tuple[str, ...]:
    """The nodes that a layer's metadata names, each once."""
    return tuple(dict.fromkeys(_NODE.findall(metadata)))


def _dtypes(layer: Any) -> tuple[str, ...]:
    outputs = (layer.get_output(index) for index in range(layer.num_outputs))
    return tuple(dict.fromkeys(numpy_name(tensor.dtype.name) for tensor in outputs if tensor is not None))
