"""The names under which rules ask for a decomposition."""

from __future__ import annotations

import pytest

from onnxfix.decompose import BODIES, body_of
from onnxfix.fixpoint.catalogue import load_rules


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_where_the_table_says(name: str) -> None:
    module, function = BODIES[name].split(".")
    body = body_of(name)
    assert (body.__module__, body.__name__) == (f"onnxfix.decompose.{module}", function)


def test_every_rule_names_a_body_and_every_body_has_a_rule() -> None:
    asked = {rule.parameters["body"] for rule in load_rules() if rule.action == "decompose"}
    assert asked == set(BODIES)


def test_a_name_that_is_none() -> None:
    with pytest.raises(KeyError):
        body_of("nothing")
