"""Where the result of a repair goes, and why it cannot go there."""

from __future__ import annotations

import os
from pathlib import Path

from onnxfix.errors import OnnxfixError
from onnxfix.model import Model, weight_files


def destination_of(
    original: Model, output: str | Path | None, in_place: bool, *, may_replace: bool = True
) -> Path | None:
    """Where the result goes; a link means the file it points at.

    `may_replace` says that the result could also take the place of the input.  Raises OnnxfixError.
    """
    if output is not None and in_place:
        raise OnnxfixError("give either an output or in-place, not both")
    if output is not None:
        goal = Path(output)
    elif original.path is None:
        return None
    else:
        goal = original.path if in_place else original.path.with_name(f"{original.path.stem}.fixed.onnx")
    try:
        goal = Path(os.path.realpath(goal)) if goal.is_symlink() else goal
        mistake, hint = _misplaced(original, goal, in_place, may_replace)
    except OSError as error:
        mistake, hint = f"cannot be written: {error.strerror}", "choose another -o"
    if mistake:
        raise OnnxfixError(mistake, where=str(goal), hint=hint)
    return goal


def _misplaced(original: Model, goal: Path, in_place: bool, may_replace: bool) -> tuple[str, str]:
    """(why the result cannot go there, what to do), or two empty texts."""
    if goal.is_dir():
        return "is a folder", "name a file"
    if not goal.parent.is_dir():
        return f"there is no folder {str(goal.parent)!r}", "make it, or choose another -o"
    if goal.exists() and not goal.is_file():
        return "is not a regular file", "choose another -o"
    if original.path is None:
        return "", ""
    home, weights = original.path.parent, weight_files(original)
    if in_place:
        linked = weights and home.resolve() != goal.parent.resolve()
        return ("the weights lie beside a link to it, in another folder", "use -o") if linked else ("", "")
    if goal.exists() and original.path.exists() and goal.samefile(original.path):
        return "is the input itself", "use --in-place to replace it" if may_replace else "choose another -o"
    if goal.exists() and any(goal.samefile(home / name) for name in weights):
        return "holds the weights of the input", "choose another -o"
    return "", ""
