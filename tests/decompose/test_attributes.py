"""Attributes that a body cannot read: the caller of a function gives them, or they are missing."""

from __future__ import annotations

import onnx
import pytest

from tests.decompose.proving import outcome_of

CALLED = """<ir_version: 9, opset_import: ["" : 17, "local" : 1]>
g (float[1,1,8,8] x) => (float[1,1,n,m] y) { y = local.F <ceil = 1> (x) }
<domain: "local", opset_import: ["" : 17]>
F <ceil> (x) => (y) { y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2], ceil_mode: int = @ceil> (x) }
"""


def test_an_attribute_of_the_function_around_it_is_a_reason() -> None:
    outcome = outcome_of(CALLED, "OFX754")
    assert not outcome.journal
    (finding,) = outcome.remaining
    assert "the attribute ceil_mode is that of the function around it" in finding.proposal.message


@pytest.mark.parametrize("code", ["OFX775", "OFX777", "OFX778", "OFX870"])
def test_a_missing_graph_is_a_reason(code: str) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (bool c) => (float[1] y) { y = If (c) }'
    )
    outcome = outcome_of(model, code)
    assert not outcome.journal
    (finding,) = outcome.remaining
    assert finding.proposal.message.startswith("If is not rewritten: it has no graph then_branch")
