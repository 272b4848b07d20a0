"""Build a TensorRT engine and write its plan file, with what is known about it beside it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from onnxfix.cli.arguments import declare_format, local

_SIZES = re.compile(r"-?\d+(x-?\d+)*")
_PRECISIONS = ("model", "fp32", "fp16", "bf16", "int8", "fp8")


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=local, help="the .onnx file")
    parser.add_argument("-o", "--output", metavar="PLAN", type=Path, help="the plan file (default: MODEL.plan)")
    parser.add_argument("--target", metavar="T", help="the library and GPU: rtx, trt, rtx@sm89 (default: those here)")
    parser.add_argument(
        "--compute-capability", metavar="C", action="append", default=[], help="such as 8.9 (repeatable; TensorRT-RTX)"
    )
    parser.add_argument(
        "--shapes",
        metavar="INPUT=MIN:BEST:MAX",
        type=shape,
        nargs="+",
        action="extend",
        default=[],
        help="sizes of dynamic inputs: x=1x3x416x416:4x3x416x416:8x3x640x640, or one shape for all three; "
        "an input given again starts the next profile",
    )
    parser.add_argument("--workspace", metavar="MIB", type=_mebibytes, default=0, help="limit of scratch memory in MiB")
    parser.add_argument(
        "--precision",
        choices=_PRECISIONS,
        action="append",
        default=[],
        help="what a weakly typed release may use (repeatable); model: strong typing where it is optional",
    )
    parser.add_argument("--tf32", action="store_true", help="allow TF32 (off: full fp32, as ONNX Runtime computes)")
    parser.add_argument("--timing-cache", metavar="FILE", default="", help="measured kernel times, read and written")
    parser.add_argument("--runtime-cache", metavar="FILE", type=Path, help="kernels that TensorRT-RTX compiles here")
    parser.add_argument("--strip-weights", action="store_true", help="leave the weights out of the plan")
    parser.add_argument(
        "--hardware-compatible", action="store_true", help="for all GPUs from compute capability 8.0 on"
    )
    parser.add_argument("--version-compatible", action="store_true", help="for later releases too")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=3600.0, help="give up then (default: 3600)")
    declare_format(parser)


def shape(text: str) -> tuple[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """An input and its smallest, best and largest shape, of `x=1x3:4x3:8x3` or `x=4x3`."""
    name, _, spans = text.rpartition("=")
    parts = spans.split(":")
    if not name or len(parts) not in (1, 3) or not all(map(_SIZES.fullmatch, parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not INPUT=SHAPE or INPUT=MIN:BEST:MAX, such as x=1x3:4x3:8x3")
    low, best, high = (tuple(map(int, part.split("x"))) for part in (parts * 3)[:3])
    return name, (low, best, high)


def _mebibytes(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of MiB")
    return number


def run(options: argparse.Namespace) -> int:
    """Build, and tell what came of it."""
    from onnxfix.api import engines
    from onnxfix.report import terminal

    chosen = engines.BuildOptions(
        compute_capabilities=tuple(options.compute_capability),
        shapes=tuple(options.shapes),
        workspace=options.workspace,
        precision=tuple(options.precision),
        tf32=options.tf32,
        timing_cache=options.timing_cache and str(Path(options.timing_cache).absolute()),
        stripped=options.strip_weights,
        hardware_compatible=options.hardware_compatible,
        version_compatible=options.version_compatible,
        described=True,
    )
    with terminal.bar() as progress:
        report = engines.build(
            options.model,
            options.output or options.model.with_suffix(".plan"),
            chosen,
            target=options.target,
            runtime_cache=options.runtime_cache,
            timeout=options.timeout,
            progress=progress,
        )
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report.engines import build_lines

        terminal.write(build_lines(report))
    return report.exit_code
