"""Messages: each pattern is found in a text that it describes, and real refusals are explained."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.targets import explain_message, resolve
from onnxfix.targets.tables import table

ERRORS: list[dict[str, Any]] = table("parser_errors")["errors"]
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)


def test_ids_are_unique() -> None:
    assert len({entry["id"] for entry in ERRORS}) == len(ERRORS)


@pytest.mark.parametrize("entry", ERRORS, ids=[entry["id"] for entry in ERRORS])
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_a_message_is_found_inside_a_log_and_explained(entry: dict[str, Any], data: st.DataObject) -> None:
    text = data.draw(st.from_regex(entry["match"], fullmatch=True, alphabet=PRINTABLE))
    found = {explanation.id: explanation for explanation in explain_message(f"[E] node 3\n{text}\n(X)")}[entry["id"]]
    assert found.fragment in text
    assert found.cause and found.repairs and found.source


@pytest.mark.parametrize(
    ("text", "identifier", "cause", "repair"),
    [
        (
            "While parsing node number 86 [Upsample]: Pre-opset 7 broadcasting is unsupported",
            "pre7-broadcast",
            "attributes of old opsets",
            "convert_opset",
        ),
        ("No importer registered for op: Bernoulli", "no-importer", "no importer", "decompose_op"),
        ("false", "checker-false", "static checker", "decompose_op"),
        ("[E] a\nfalse\n[E] b", "checker-false", "static checker", "decompose_op"),
        ("K exceeds the maximum value allowed (3840).", "topk-k-max", "3840", "clamp_topk_k"),
    ],
)
def test_known_messages(text: str, identifier: str, cause: str, repair: str) -> None:
    found = {explanation.id: explanation for explanation in explain_message(text)}
    assert cause in found[identifier].cause
    assert repair in found[identifier].repairs


def test_an_unknown_message_has_no_explanation() -> None:
    assert explain_message("the quick brown fox, falsely") == []


def test_the_targets_own_messages_come_first() -> None:
    text = "false; Squeeze axes input must an initializer; No importer registered for op: X"
    assert [found.id for found in explain_message(text)] == ["no-importer", "squeeze-init"]
    old = explain_message(text, resolve("trt7.2"))
    assert {found.id: found.expected for found in old} == {"no-importer": True, "squeeze-init": True}
    later = explain_message(text, resolve("trt8.6"))
    assert [(found.id, found.expected) for found in later] == [("no-importer", True), ("squeeze-init", False)]
    beyond = explain_message(text, resolve("trt11.1"))
    assert [found.expected for found in beyond] == [None, None]  # no parser source after 10.1 was read


def test_the_releases_that_say_it() -> None:
    (found,) = explain_message("K exceeds the maximum value", resolve("rtx1.7"))
    assert found.seen == ("TensorRT-RTX 1.7",)
    assert found.expected is True
    (found,) = explain_message("Squeeze axes input must an initializer")
    assert found.seen == ("TensorRT 7.2",)
    assert found.expected is None
