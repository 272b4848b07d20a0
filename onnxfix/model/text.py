"""Nodes as ONNX text, short enough for a terminal and a journal."""

from __future__ import annotations

import onnx

from onnxfix.model.scope import subgraphs

LIMIT = 240
_LARGE = 4096


def node_text(node: onnx.NodeProto) -> str:
    """One line of ONNX text; a node with a large tensor or a subgraph inside is told without its attributes."""
    if node.ByteSize() > _LARGE or any(True for _ in subgraphs(node)):
        inputs, outputs = ", ".join(node.input), ", ".join(node.output)
        names = ", ".join(attribute.name for attribute in node.attribute)
        text = f"{outputs} = {node.op_type} <{names}> ({inputs})"
    else:
        text = " ".join(onnx.printer.to_text(node).split())
    return text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"
