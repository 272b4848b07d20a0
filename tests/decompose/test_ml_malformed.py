"""Nodes of foreign domains that no checker has looked at: whatever is missing, a rule says so and nothing is raised."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import pytest

from onnxfix.actions.refusals import EVERYTHING
from onnxfix.errors import OnnxfixError
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import look
from onnxfix.model import load
from onnxfix.rewrite.rule import Rule
from onnxfix.rewrite.rulefile import example_model
from onnxfix.targets import resolve

RULES = load_rules()
OPTIONS = Options(target=resolve("rtx"))
FOREIGN = [rule for rule in RULES if rule.family in ("microsoft", "ml")]


def damaged(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """The model with one attribute, input, shape or type gone."""
    for place, node in enumerate(model.graph.node):
        for number in range(len(node.attribute)):
            copy = onnx.ModelProto.FromString(model.SerializeToString())
            del copy.graph.node[place].attribute[number]
            yield copy
        for number in range(len(node.input)):
            copy = onnx.ModelProto.FromString(model.SerializeToString())
            copy.graph.node[place].input[number] = ""
            yield copy
    for place in range(len(model.graph.input)):
        for kind in (onnx.TensorProto.STRING, onnx.TensorProto.BOOL, onnx.TensorProto.BFLOAT16):
            copy = onnx.ModelProto.FromString(model.SerializeToString())
            copy.graph.input[place].type.tensor_type.elem_type = kind
            yield copy
        copy = onnx.ModelProto.FromString(model.SerializeToString())
        copy.graph.input[place].type.tensor_type.ClearField("shape")
        yield copy


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.code) for rule in FOREIGN])
def test_damaged_examples(rule: Rule) -> None:
    tried = 0
    for example in rule.examples:
        for model in damaged(example_model(example.before)):
            try:
                look(load(model), [rule], OPTIONS, EVERYTHING)
            except OnnxfixError as error:
                assert str(error)
            tried += 1
    assert tried > 5
