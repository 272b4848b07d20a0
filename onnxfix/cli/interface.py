"""The arguments of changes to a model's interface, which are made only on request."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def declare_interface(parser: argparse.ArgumentParser) -> None:
    """--freeze, --shape, --dynamic-batch and --cut."""
    group = parser.add_argument_group("changes to the interface, made only on request and listed in the report")
    group.add_argument(
        "--freeze",
        metavar="NAME=VALUE",
        type=frozen,
        action="append",
        default=[],
        help="make a constant of an input: a number, a list such as [0,1], or @FILE.npy (repeatable)",
    )
    group.add_argument(
        "--shape",
        metavar="NAME=1x3x416x416",
        type=shaped,
        action="append",
        default=[],
        help="sizes and names of an input's free dimensions; a name in front frees a burnt-in batch (repeatable)",
    )
    group.add_argument("--dynamic-batch", action="store_true", help="free the batch of all inputs")
    group.add_argument(
        "--cut", metavar="NODE", default="", help="end the graph before a node or operator; the rest is OUT.rest.onnx"
    )


def frozen(text: str) -> tuple[str, Any]:
    """NAME=VALUE as (name, value).  Raises OnnxfixError for a file that cannot be read."""
    name, equals, value = text.rpartition("=") if "=@" not in text else text.partition("=")
    if not name or not equals or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, _array(Path(value[1:])) if value.startswith("@") else _number(value)


def _number(text: str) -> Any:
    """A number, true or false, or a list of those, with or without brackets."""
    written = f"[{text}]" if "," in text and not text.startswith("[") else text
    try:
        return json.loads(written, parse_constant=float)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor a list of numbers nor @FILE.npy") from None


def _array(path: Path) -> Any:
    from onnxfix.verify.values import read_array

    return read_array(path)


def shaped(text: str) -> tuple[str, tuple[int | str, ...]]:
    """NAME=1x3xHxW (or with commas) as (name, sizes)."""
    name, equals, value = text.rpartition("=")
    parts = [part.strip() for part in value.split("," if "," in value else "x")]
    if not name or not equals or not all(parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=SIZES, such as x=1x3x416x416 or x=N,3,416,416")
    return name, tuple(int(part) if part.isdecimal() else part for part in parts)
