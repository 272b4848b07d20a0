"""A model as text, for git: weights by type, shape and digest.  What is no model is told in one line."""

from __future__ import annotations

import argparse
from pathlib import Path


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="FILE", type=Path, help="the .onnx file")


def run(options: argparse.Namespace) -> int:
    """Print the text; git stops altogether when this fails, so that it never does."""
    from onnxfix.report.gitdiff import text_of

    for line in text_of(options.model):
        print(line)
    return 0
