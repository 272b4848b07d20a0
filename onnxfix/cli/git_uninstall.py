"""Undo `onnxfix git install`."""

from __future__ import annotations

import argparse

from onnxfix.cli.git_install import declare

__all__ = ["declare", "run"]


def run(options: argparse.Namespace) -> int:
    """Undo, and say what."""
    from onnxfix.api import git
    from onnxfix.report.text import visible

    path = git.uninstall(everywhere=options.everywhere)
    print(f"git shows models as it did before: {visible(str(path), 400)}" if path else "nothing was installed here")
    return 0
