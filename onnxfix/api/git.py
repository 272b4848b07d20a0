"""git and models: `install` tells git to show models through onnxfix, `uninstall` undoes exactly that."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from onnxfix.errors import OnnxfixError

LINE = b"*.onnx diff=onnxfix"
"""What is written into the attributes file."""

_KEYS = ("diff.onnxfix.textconv", "diff.onnxfix.command")
_NOTE = "diff.onnxfix.attributes"
"""Our own note in git's configuration of what was done to the attributes file: created, appended, ended or found."""


def install(*, everywhere: bool = False) -> Path:
    """Configure this repository, or with `everywhere` all of this user's; returns the attributes file.

    Raises OnnxfixError outside of a repository, without git, and when a file cannot be written.
    """
    scope = _scope(everywhere)
    path = _attributes(everywhere)
    note = _add(path)
    if note != "found" or not _get(scope, _NOTE):
        _git("config", scope, _NOTE, note)
    # -P: Python must not import from the repository it is called in
    call = shlex.join([sys.executable, "-P", "-m", "onnxfix", "git"])
    for key, word in zip(_KEYS, ("textconv", "driver"), strict=True):
        _git("config", scope, key, f"{call} {word} --")
    return path


def uninstall(*, everywhere: bool = False) -> Path | None:
    """Undo `install`: the file if it was put into one, else None when nothing was installed. Raises OnnxfixError."""
    scope = _scope(everywhere)
    note = _get(scope, _NOTE)
    if not note:
        return None
    path = _attributes(everywhere)
    _remove(path, note)
    for key in (*_KEYS, _NOTE):
        if _get(scope, key):
            _git("config", scope, "--unset-all", key)
    return path


def _scope(everywhere: bool) -> str:
    return "--global" if everywhere else "--local"


def _attributes(everywhere: bool) -> Path:
    """The attributes file: of the repository, or git's global one (core.attributesFile, else git's own default)."""
    if not everywhere:
        top = _git("rev-parse", "--show-toplevel")
        if not top:
            raise OnnxfixError("this repository has no working tree", hint="use --global")
        return Path(top, ".gitattributes")
    named = _get("--global", "core.attributesFile", "--type=path")
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(named) if named else Path(base, "git", "attributes")


def _add(path: Path) -> str:
    """Append our line unless it is there; how, so that it can be undone."""
    try:
        before = path.read_bytes() if path.exists() else None
        if before is not None and LINE in before.splitlines():
            return "found"
        path.parent.mkdir(parents=True, exist_ok=True)
        note = "created" if before is None else "appended" if before.endswith(b"\n") or not before else "ended"
        with path.open("ab") as file:
            file.write((b"\n" if note == "ended" else b"") + LINE + b"\n")
    except OSError as error:
        raise OnnxfixError(f"cannot be changed: {error.strerror or error}", where=str(path)) from None
    return note


def _remove(path: Path, note: str) -> None:
    """Take our line away again, and the file when it was ours alone; a line that was there before stays."""
    if note == "found" or not path.exists():
        return
    try:
        lines = path.read_bytes().splitlines(keepends=True)
        places = [place for place, line in enumerate(lines) if line.strip() == LINE]
        if places:
            last = places[-1] == len(lines) - 1
            del lines[places[-1]]
            if last and lines and note == "ended":
                lines[-1] = lines[-1].rstrip(b"\r\n")
        if lines or note != "created":
            path.write_bytes(b"".join(lines))
        else:
            path.unlink()
    except OSError as error:
        raise OnnxfixError(f"cannot be changed: {error.strerror or error}", where=str(path)) from None


def _get(scope: str, key: str, *options: str) -> str:
    return _git("config", scope, *options, "--default", "", "--get", key)


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        raise OnnxfixError("git is not installed") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["git failed"]
        raise OnnxfixError(lines[0].removeprefix("fatal: "), where="git", hint="--global needs no repository")
    return done.stdout.rstrip("\n")
