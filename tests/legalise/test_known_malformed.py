"""The fact base asked about graphs that no checker accepts: it answers, whatever is missing."""

from __future__ import annotations

import random

import onnx
import pytest

from benchmarks.cases import node_cases
from onnxfix.legalise import known_refusals
from onnxfix.model import load
from onnxfix.model.scope import scopes_of, subgraphs
from onnxfix.targets import resolve

OPERATORS = ["Attention", "If", "Loop", "Scan", "Split", "MatMul", "Clip", "Upsample", "Slice", "Identity", "CastLike"]
OPERATORS += ["OneHot", "DequantizeLinear"]
NAMES = ["axis", "q_num_heads", "num_outputs", "is_causal", "dtype"]


def nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    inner = [node for outer in graph.node for _, _, body in subgraphs(outer) for node in nodes(body)]
    return [*graph.node, *inner]


def damage(node: onnx.NodeProto, chance: random.Random) -> None:
    """One of: fewer inputs, outputs or attributes, an input from itself, an attribute misnamed, another operator."""
    kind = chance.randrange(9)
    if kind < 3:
        parts = (node.input, node.output, node.attribute)[kind]
        del parts[chance.randrange(len(parts) + 1) :]
    elif kind == 3 and node.input:
        node.input[0] = chance.choice(["", "nobody makes it", *node.output])
    elif kind == 4 and node.attribute:
        node.attribute[0].name = chance.choice(NAMES)
    elif kind == 5:
        node.op_type = chance.choice(OPERATORS)


@pytest.mark.parametrize("target", ["rtx1.7", "trt8.6", "trt10.14"])
def test_damaged_models(target: str) -> None:
    chance = random.Random(0)
    for case in list(node_cases())[::6]:
        model = onnx.ModelProto.FromString(case.model.SerializeToString())
        for node in nodes(model.graph):
            damage(node, chance)
        known_refusals(scopes_of(load(model)), resolve(target))
