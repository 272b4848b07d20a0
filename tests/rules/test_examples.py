"""Every example of every built-in rule: generated from the rule files."""

from __future__ import annotations

import pytest

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.rewrite.rule import Example, Rule
from onnxfix.verify.examples import problems

RULES = load_rules()
CASES = [
    pytest.param(rule, example, id=f"{rule.code}-{rule.name}-{number}")
    for rule in RULES
    for number, example in enumerate(rule.examples, 1)
]


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_example(rule: Rule, example: Example) -> None:
    assert list(problems(rule, example, RULES)) == []


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.code) for rule in RULES])
def test_every_rule_has_an_example_that_fires(rule: Rule) -> None:
    assert any(example.after is not None or example.reports for example in rule.examples)
