"""The difference of two models for git, which gives PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE."""

from __future__ import annotations

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("words", metavar="WORD", nargs="+", help="what git gives: seven words, more for a renamed file")


def run(options: argparse.Namespace) -> int:
    """Print the difference; git stops altogether when this fails, so that it never does for a file it cannot read."""
    from onnxfix.errors import OnnxfixError
    from onnxfix.report import terminal
    from onnxfix.report.gitdiff import driver_lines

    if len(options.words) not in (1, 7, 9):
        raise OnnxfixError("git calls this with 7 words", hint="`onnxfix diff A B` compares two files")
    terminal.write(driver_lines(options.words))
    return 0
