"""Find the smallest part of a model that still fails, and write it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnxfix.cli.arguments import declare_failing, declare_format, local


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=local, help="the .onnx file")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="the file to write")
    declare_failing(parser)
    declare_format(parser)


@contextmanager
def _told_when_stopped(output: Path) -> Iterator[None]:
    """An interrupted search goes on where it was, and its user should know."""
    from onnxfix.api.cutting import learnt_file

    try:
        yield
    except KeyboardInterrupt:
        if learnt_file(output).exists():
            print("onnxfix: stopped; the same command goes on where it was", file=sys.stderr)
        raise


def run(options: argparse.Namespace) -> int:
    """Reduce, report, and give the exit code."""
    from onnxfix.api import cutting
    from onnxfix.report import terminal

    with _told_when_stopped(options.output), terminal.bar() as progress:
        report = cutting.reduce(
            options.model,
            options.output,
            check=options.check,
            match=options.match,
            inputs=options.inputs,
            timeout=options.timeout,
            repeat=options.repeat,
            progress=progress,
        )
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report.cutting import reduce_lines

        terminal.write(reduce_lines(report))
    return report.exit_code
