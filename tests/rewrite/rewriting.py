"""Rules and models for the tests of the rewrite engine, each in a few lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from onnxfix.actions import PARAMETERS
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, repair_model
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.rewrite.match import match
from onnxfix.rewrite.rule import Match, Mismatch, Rule
from onnxfix.rewrite.rulefile import parse_rule

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


def model_of(text: str | onnx.ModelProto) -> onnx.ModelProto:
    """A model from ONNX text, or the model itself; opset 17 when the text has no line of versions."""
    if isinstance(text, onnx.ModelProto):
        return text
    return onnx.parser.parse_model(text if text.startswith("<") else HEAD + text)


def rule_text(pattern: str, replacement: str, *, code: str = "TST001", top: str = "", **keys: Any) -> str:
    """A rule file with one rewrite; `top` are lines of the rule itself, `keys` the other keys of the rewrite."""
    lines = [f"{key} = {_toml(value)}" for key, value in {"match": pattern, "with": replacement, **keys}.items()]
    head = [f'code = "{code}"', f'name = "rule-{code.lower()}"', 'applicability = "safe"']
    head += [f'{key} = "a text"' for key in ("summary", "why", "safety")]
    return "\n".join([*head, top, "[[rewrite]]", *lines])


def rule_of(pattern: str, replacement: str, **keys: Any) -> Rule:
    """The rule of rule_text."""
    return parse_rule(rule_text(pattern, replacement, **keys), "test.toml", "test", PARAMETERS)


def repaired(text: str | onnx.ModelProto, *rules: Rule, **options: Any) -> Outcome:
    """What the rules make of a model."""
    return repair_model(load(model_of(text)), rules, Options(**options))


def lines(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """Nodes as `y = Relu(x)`, attributes left out."""
    return [f"{', '.join(node.output)} = {node.op_type}({', '.join(node.input)})" for node in nodes]


def graph_lines(outcome: Outcome) -> list[str]:
    """The nodes of the main graph."""
    return lines(outcome.model.proto.graph.node)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node by name."""
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def matched(text: str | onnx.ModelProto, rule: Rule, root: str) -> Match | Mismatch:
    """The match of the rule's first rewrite whose root makes the value `root` of the main graph."""
    scope = typed_scopes(load(model_of(text)))[0][0]
    return match(scope, rule.rewrites[0], scope.producer[root][0])


def run(model: onnx.ModelProto, inputs: Mapping[str, Any]) -> list[Any]:
    """The outputs in ONNX Runtime, without its own optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results: list[Any] = session.run(None, dict(inputs))
    return results


def same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two lists of outputs are equal to the bit, shapes and types included."""
    return len(one) == len(other) and all(
        a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in zip(one, other, strict=True)
    )


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)
