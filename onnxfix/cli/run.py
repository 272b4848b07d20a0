"""Run a model or a plan file on the GPU, in a child process, and say what comes out and how long it takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from onnxfix.cli.arguments import declare_format, local

if TYPE_CHECKING:
    from onnxfix.api.run import Inputs


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL|PLAN", type=local, help="an .onnx file, or a plan file")
    declare_inputs(parser)
    parser.add_argument("-o", "--output", metavar="OUT.npz", type=Path, help="write the outputs to this file")
    parser.add_argument("--iterations", metavar="N", type=_count, default=0, help="time N executions")
    parser.add_argument("--warmup", metavar="N", type=_count, default=10, help="before timing, execute N times (10)")
    parser.add_argument("--cuda-graph", action="store_true", help="capture the execution in a CUDA graph")
    declare_tf32(parser)
    declare_format(parser)


def declare_inputs(parser: argparse.ArgumentParser) -> None:
    """--inputs and --input."""
    parser.add_argument("--inputs", metavar="FILE.npz", type=Path, help="one array for each input (default: seeded)")
    parser.add_argument(
        "--input", metavar="NAME=FILE.npy", type=_pair, action="append", default=[], help="one input (repeatable)"
    )


def declare_tf32(parser: argparse.ArgumentParser) -> None:
    """--tf32."""
    parser.add_argument("--tf32", action="store_true", help="let the engine round float32 to 10 bits inside")


def given_inputs(options: argparse.Namespace) -> Inputs:
    """The arrays of --inputs and --input; None when there are neither."""
    if not options.input:
        path: Path | None = options.inputs
        return path
    from onnxfix.verify.values import read_array, read_arrays

    arrays = read_arrays(options.inputs) if options.inputs else {}
    return {**arrays, **{name: read_array(path) for name, path in options.input}}


def run(options: argparse.Namespace) -> int:
    """Run, report, and give the exit code."""
    from onnxfix.api.run import run
    from onnxfix.report import terminal

    with terminal.progress() as progress:
        report = run(
            options.model,
            given_inputs(options),
            output=options.output,
            iterations=options.iterations,
            warmup=options.warmup,
            cuda_graph=options.cuda_graph,
            tf32=options.tf32,
            progress=progress,
        )
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report.run import run_lines

        terminal.write(run_lines(report))
    return report.exit_code


def _pair(text: str) -> tuple[str, Path]:
    name, equal, path = text.partition("=")
    if not (name and equal and path):
        raise argparse.ArgumentTypeError(f"write NAME=FILE.npy instead of {text!r}")
    return name, Path(path)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of times")
    return int(text)
