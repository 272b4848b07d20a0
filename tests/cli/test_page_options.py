"""`--html` of diff, show and repair."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from outside import SICK, Command


def document(place: Path) -> dict[str, Any]:
    data = re.search(r"id='document'>(.*?)</script>", place.read_text(), re.DOTALL)
    assert data
    found: dict[str, Any] = json.loads(data[1])
    return found


def test_diff_writes_a_page_and_reports_as_always(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("diff", "sick.onnx", "well.onnx", "--html", "page.html", "--stat")
    assert done.returncode == 1, done.stderr
    assert done.stdout
    page = document(folder / "page.html")
    assert (page["before"], page["after"], page["mode"]) == ("sick.onnx", "well.onnx", "diff")
    assert "removed" in {part["status"] for part in page["scopes"][0]["parts"]}
    same = onnxfix("diff", "well.onnx", "well.onnx", "--html", "same.html", "--quiet")
    assert (same.returncode, same.stdout) == (0, "")
    assert document(folder / "same.html")["items"] == []


def test_show_marks_what_check_finds(onnxfix: Command, folder: Path) -> None:
    from onnx import parser, save

    unread = SICK.replace("z = Relu(y)", "z = Relu(y)\n  dead = Relu(x)")
    save(parser.parse_model(unread), folder / "dead.onnx")
    assert onnxfix("show", "dead.onnx", "--html", "page.html").returncode == 0
    page = document(folder / "page.html")
    titles = [page["scopes"][0]["parts"][part]["title"] for item in page["items"] for part in item["parts"]]
    assert page["mode"] == "show" and "Relu" in titles


def test_repair_shows_what_each_rule_did(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("repair", "sick.onnx", "--rules", "own", "--verify", "numeric", "--html", "page.html")
    assert done.returncode == 0, done.stdout + done.stderr
    page = document(folder / "page.html")
    assert (page["before"], page["after"]) == ("sick.onnx", "sick.fixed.onnx")
    assert {item["group"] for item in page["items"] if item["parts"]} == {"repaired by USR001"}


def test_repair_in_place_shows_the_original_too(onnxfix: Command, folder: Path) -> None:
    arguments = ("--rules", "own", "--verify", "none", "--in-place", "--html", "page.html")
    assert onnxfix("repair", "sick.onnx", *arguments).returncode == 0
    assert "Neg" in {part["title"] for part in document(folder / "page.html")["scopes"][0]["parts"]}


def test_a_dry_run_shows_the_original_with_its_defects(onnxfix: Command, folder: Path) -> None:
    arguments = ("--rules", "own", "--verify", "none", "--dry-run", "--html", "page.html")
    assert onnxfix("repair", "sick.onnx", *arguments).returncode == 0
    page = document(folder / "page.html")
    assert page["mode"] == "show" and page["items"][0]["rule"] == "USR001"
    assert any("this is the original" in note for note in page["notes"])


def test_a_page_that_cannot_be_written(onnxfix: Command) -> None:
    done = onnxfix("show", "well.onnx", "--html", "none/page.html")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "cannot be written" in done.stderr
