"""Text from strangers cannot leave its line or reach the terminal's controls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onnxfix.report.text import counted, listed, sentence, visible

ANY = st.text(st.characters(), max_size=300)  # every code point, controls and lone surrogates too


@given(ANY, st.integers(1, 100))
def test_visible_text_is_printable_and_short(text: str, limit: int) -> None:
    shown = visible(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    shown.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=80))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(ANY)
def test_a_sentence_is_one_line(text: str) -> None:
    assert sentence(text).isprintable()


def test_escapes() -> None:
    assert visible("a\x1b[31m\n\u202e\x9b[red]") == r"a\x1b[31m\n\u202e\x9b[red]"
    assert sentence("two\n  lines\tone\x1b") == r"two lines one\x1b"
    assert visible("x" * 81) == "x" * 79 + "…"


def test_counts_and_lists() -> None:
    assert (counted(1, "node"), counted(0, "node")) == ("1 node", "0 nodes")
    assert listed(["a", "b", "c"], 3) == "a, b, c"
    assert listed(["a", "b", "c"], 1) == "a and 2 more"
