"""What people pasted into public threads is told its cause first, and the page says how it was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.explain import PAGE, Row, pasted, rows, table

ASKED = list(rows())
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("row", [row for row in ASKED if row.cause], ids=lambda row: f"{row.cause}-{row.line[:40]}")
def test_the_cause_is_told_first(row: Row) -> None:
    assert row.told[:1] == (row.cause,), row.line


def test_the_messages_are_different_and_have_their_threads() -> None:
    texts = [message["text"] for message in pasted()["messages"]]
    assert len(set(texts)) == len(texts) > 200
    assert all(row.source.startswith("https://github.com/") for row in ASKED)
    assert {row.set for row in ASKED} == set(pasted()["sets"])


def test_grades() -> None:
    row = Row("s", "", "", "b", ("a", "b"))
    assert [row.grade, Row("s", "", "", "a", ()).grade, Row("s", "", "", "", ("a",)).grade] == [
        "partly",
        "nothing",
        "wrong",
    ]


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs/explain.md").read_text(encoding="utf-8")
    assert page == PAGE.format(rows="\n".join(table(ASKED))), "run: python -m benchmarks.explain --page docs/explain.md"
