"""User rules that fight, grow, lie and help, as files of a temporary folder."""

from __future__ import annotations

from pathlib import Path

RULE = """code = "{code}"
name = "{name}"
level = "{level}"
applicability = "{applicability}"
summary = "a summary"
why = "a reason"
safety = "a proof"
[[rewrite]]
match = '''{match}'''
with = '''{replacement}'''
{more}
"""


def write_rule(
    folder: Path,
    code: str,
    match: str,
    replacement: str,
    *,
    level: str = "error",
    applicability: str = "safe",
    more: str = "",
) -> None:
    """One rule file with one rewrite, named after its code."""
    folder.mkdir(exist_ok=True)
    text = RULE.format(
        code=code,
        name=f"own-{code.lower()}",
        level=level,
        applicability=applicability,
        match=match,
        replacement=replacement,
        more=more,
    )
    (folder / f"{code}.toml").write_text(text)
