"""The documentation is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.report.markdown import catalogue
from onnxfix.rewrite.functions import functions_for
from onnxfix.rewrite.rulefile import EXAMPLE_KEYS, REWRITE_KEYS, RULE_KEYS

ROOT = Path(__file__).parent.parent


def test_the_catalogue_is_current() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert page == catalogue(load_rules()), "run: onnxfix rules --format markdown > docs/rules.md"


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\(([^)#][^)]*)\)", page.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (page.parent / link.split("#")[0]).exists(), f"{page.name}: {link}"


def test_every_folder_of_the_package_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in (ROOT / "onnxfix").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert f"`onnxfix/{folder.name}/`" in readme or f"`{folder.name}/`" in readme, folder.name


def test_every_function_of_the_language_is_documented() -> None:
    page = (ROOT / "docs" / "writing-rules.md").read_text(encoding="utf-8")
    for name in functions_for(None):
        assert f"`{name}`" in page or f"`{name}(" in page, name


def test_every_key_of_a_rule_is_documented() -> None:
    page = (ROOT / "docs" / "writing-rules.md").read_text(encoding="utf-8")
    for key in (*RULE_KEYS, *REWRITE_KEYS, *EXAMPLE_KEYS):
        assert f"`{key}`" in page or f"`[[{key}]]`" in page or f"`{key} = " in page, key
