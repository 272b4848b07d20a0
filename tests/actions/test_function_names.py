"""Functions whose name TensorRT gives to another operator: told by a body whose rank the next node needs."""

from __future__ import annotations

import pytest

from tests.decompose.proving import builds, outcome_of, prove

HEAD = '<ir_version: 9, opset_import: ["" : 17, "my" : 1, "her" : 1]>\n'
GRAPH = "g (float[2] x) => (float[1,2] y) { t = my.NAME (x) y = Transpose <perm = [1,0]> (t) }\n"
WIDE = """<domain: "my", opset_import: ["" : 17]>
NAME (a) => (b) { s = Constant <value = int64[2] {2, 1}> () b = Reshape (a, s) }
"""
SAME = '<domain: "her", opset_import: ["" : 17]>\nNAME (a) => (b) { b = Identity (a) }\n'


@pytest.mark.parametrize(("name", "others"), [("Relu", ""), ("Celu", ""), ("F", SAME)])
def test_the_body_that_was_meant_is_built(name: str, others: str) -> None:
    text = (HEAD + GRAPH + others + WIDE).replace("NAME", name)
    assert not builds(text)
    assert builds(prove(text, "OFX826"))


def test_functions_of_their_own_names_stay() -> None:
    assert not outcome_of((HEAD + GRAPH + WIDE).replace("NAME", "Wide"), "OFX826").journal


def test_a_name_that_is_taken_too() -> None:
    """The new name of one function is the name of another."""
    taken = SAME.replace("NAME", "my_Relu")
    result = prove((HEAD + GRAPH).replace("NAME", "Relu") + WIDE.replace("NAME", "Relu") + taken, "OFX826")
    assert [function.name for function in result.functions] == ["my_Relu_1", "my_Relu"]
