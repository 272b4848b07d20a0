"""Rules as pages and as JSON."""

from __future__ import annotations

import json

import pytest

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.report.rules import catalogue_lines, page_lines, rule_json
from onnxfix.rewrite.pattern import parse_nodes
from onnxfix.rewrite.rule import Rule
from onnxfix.rewrite.rulefile import parse_rule

TEXT = '''
code = "TST001"
name = "a-rule"
level = "error"
applicability = "unsafe"
summary = "A rule"
why = "because\\u001b[31m"
safety = "safe"
opset = "7..9"
target = { track = "trt", from = "8.0", before = "10.0" }
[[rewrite]]
match = 'y = Pad <mode: string = @mode> (x)'
where = 'mode == "edge"'
with = 'y = Abs(x)'
[[examples]]
note = "silent"
opset = 13
before = """<ir_version: 8, opset_import: ["" : 9]>
g (float[1] x) => (float[1] y) { y = Abs(x) }"""
'''


def test_page() -> None:
    lines = page_lines(parse_rule(TEXT, "s", "f", {}))
    page = ["".join(p if isinstance(p, str) else p[0] for p in line) for line in lines]
    assert page == [
        "TST001 a-rule   f, error",
        "A rule",
        "",
        "Why",
        r"  because\x1b[31m",
        "",
        "Fix [!] unsafe",
        "  safe",
        "",
        "Applies to",
        "  opset 7 to 9; TensorRT from 8.0 before 10.0",
        "",
        "Rewrite",
        "  y = Pad <mode: string = @mode> (x)",
        '  where mode == "edge"',
        "    ->",
        "  y = Abs (x)",
        "",
        "Example (--opset 13) (the rule is silent)   silent",
        '  <ir_version: 8, opset_import: ["" : 9]>',
        "  g (float[1] x) => (float[1] y) { y = Abs(x) }",
    ]


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.code) for rule in load_rules()])
def test_built_in_rules_render_and_read_back(rule: Rule) -> None:
    assert len(list(page_lines(rule))) > 5
    document = json.loads(json.dumps(rule_json(rule), allow_nan=False))
    assert document["code"] == rule.code
    for written, rewrite in zip(document["rewrites"], rule.rewrites, strict=True):
        assert [node.op_type for node in parse_nodes(written["match"])] == [node.op_type for node in rewrite.pattern]


def test_catalogue_has_one_line_per_rule_and_family() -> None:
    rules = load_rules()
    assert len(list(catalogue_lines(rules))) == len(rules) + len({rule.family for rule in rules}) + 1
