"""Let git show models through onnxfix: `git diff`, `git log -p` and `git show` then tell what changed in them.

It writes `*.onnx diff=onnxfix` into .gitattributes and a diff driver into git's configuration.  Merging stays as it is.
"""

from __future__ import annotations

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--local", action="store_true", help="this repository (the default)")
    place.add_argument("--global", dest="everywhere", action="store_true", help="all repositories of this user")


def run(options: argparse.Namespace) -> int:
    """Install, and say where."""
    from onnxfix.api import git
    from onnxfix.report.text import visible

    path = git.install(everywhere=options.everywhere)
    print(f"git shows models through onnxfix: {git.LINE.decode()} in {visible(str(path), 400)}")
    return 0
