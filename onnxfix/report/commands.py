"""Commands that a report names, so that they do what it says when they are copied."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from onnxfix.records import Diagnostic


@cache
def repair_command(target: str) -> str:
    """The repair for a target: it is named unless it is the one on this machine, which is the default.

    `target` may be a title with spaces where a report has no name to type.
    """
    from onnxfix.targets import local_target

    local = local_target()
    default = not target or " " in target or (local is not None and local.name == target)
    return "onnxfix repair" if default else f"onnxfix repair --target {target}"


def fixing_command(found: Diagnostic, targets: Sequence[str]) -> str:
    """The repair that fixes a finding for the first of its targets, "" when none does by itself.

    A note is fixed when its rule is selected.
    """
    if found.fix != "safe":
        return ""
    return repair_command(next(iter(targets), "")) + (f" --select {found.code}" if found.level == "note" else "")
