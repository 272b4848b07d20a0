"""Which runtime can compute a node, and under which opset.

ONNX Runtime has kernels for opset 7 and later. A node whose form belongs to another opset than its model claims
(Upsample in an opset 11 model, ReduceMean with an axes attribute in an opset 18 model) runs under the newest
opset before that knows its form, or else the first one after. A node of opset 1 to 6 runs under opset 8 where that
means the same, else in numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import defs

from onnxfix.model.messages import copied
from onnxfix.model.scope import subgraphs
from onnxfix.model.types import STANDARD
from onnxfix.verify import legacy

OLDEST = 7
RELABELLED = 8  # where nodes of opset 1 to 6 run: the last opset before most operators changed again

# (operator, version of its schema below 7): means the same in opset 8 once attributes that opset 8 lacks are gone.
_UNCHANGED = {
    *((name, 1) for name in ("Abs", "Ceil", "Clip", "Elu", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log", "Neg")),
    *((name, 1) for name in ("Reciprocal", "Relu", "Selu", "Sigmoid", "Sqrt", "Tanh", "InstanceNormalization")),
    *((name, 1) for name in ("AveragePool", "MaxPool", "RNN", "LSTM", "GRU")),
    *((name, version) for name in ("Max", "Min", "Mean", "Sum") for version in (1, 6)),
    ("GRU", 3),
}


@dataclass(frozen=True, slots=True)
class Label:
    """`opset` is what ONNX Runtime is told, 0 when numpy computes the node; `since` is its schema's version."""

    opset: int
    since: int = 0


def label_of(node: onnx.NodeProto, opset: int) -> Label | None:
    """How to compute a node of a model that claims `opset`; None when nothing here can.

    Nodes of other domains keep the opset of their model, whatever it is.
    """
    if node.domain not in STANDARD:
        return Label(max(opset, OLDEST))
    versions = (*range(opset, 0, -1), *range(opset + 1, defs.onnx_opset_version() + 1))
    form = next((version for version in versions if fits(node, version)), opset)
    if form >= OLDEST:
        return Label(form)
    inner = list(_inner_nodes(node))
    if any(label_of(child, opset) != Label(RELABELLED) for child in inner):
        return None
    try:
        since = defs.get_schema(node.op_type, form).since_version
        later = defs.get_schema(node.op_type, RELABELLED).since_version
    except defs.SchemaError:
        return None
    if legacy.known(node.op_type, since):
        return Label(0, since)
    same = since == later or (node.op_type, since) in _UNCHANGED
    return Label(RELABELLED) if same else None


def means_the_same(node: onnx.NodeProto, label: Label, other: Label) -> bool:
    """Whether a node of one label can run under another: both opsets have one version of its operator."""
    if not (label.opset and other.opset) or node.domain not in STANDARD or _inner_nodes(node):
        return False
    try:
        versions = {defs.get_schema(node.op_type, opset).since_version for opset in (label.opset, other.opset)}
    except defs.SchemaError:
        return False
    return len(versions) == 1


def fits(node: onnx.NodeProto, opset: int) -> bool:
    """Whether the schema at `opset` takes the node: its attributes, its number of inputs, and all nodes inside."""
    if node.domain not in STANDARD:
        return True
    try:
        schema = defs.get_schema(node.op_type, opset)
    except defs.SchemaError:
        return False
    names = {attribute.name for attribute in node.attribute}
    needed = {name for name, attribute in schema.attributes.items() if attribute.required}
    return (
        not schema.deprecated
        and needed <= names <= set(schema.attributes)
        and schema.min_input <= len(node.input) <= schema.max_input
        and len(node.output) <= schema.max_output
        and all(fits(child, opset) for child in _inner_nodes(node))
    )


def relabelled(node: onnx.NodeProto) -> onnx.NodeProto:
    """A copy of a node of opset 1 to 6 as opset 8 writes it: without the attributes that opset 8 lacks."""
    copy = copied(node)
    _drop_old_attributes(copy)
    return copy


def _drop_old_attributes(node: onnx.NodeProto) -> None:
    known = defs.get_schema(node.op_type, RELABELLED).attributes
    kept = [attribute for attribute in node.attribute if attribute.name in known]
    del node.attribute[:]
    node.attribute.extend(kept)
    for child in _inner_nodes(node):
        _drop_old_attributes(child)


def _inner_nodes(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    return [child for _, _, graph in subgraphs(node) for child in graph.node]
