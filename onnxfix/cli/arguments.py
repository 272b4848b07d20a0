"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def declare_rules(parser: argparse.ArgumentParser) -> None:
    """--target, --select, --ignore and --rules, whose defaults come from pyproject.toml."""
    parser.add_argument("--target", metavar="T", help="such as trt8.6, jetson-nano, rtx (default: the one installed)")
    parser.add_argument(
        "--select", metavar="RULES", type=words, action="extend", help="only these codes, names or families (a,b,c)"
    )
    parser.add_argument("--ignore", metavar="RULES", type=words, action="extend", help="not these")
    declare_folders(parser)


def declare_folders(parser: argparse.ArgumentParser) -> None:
    """--rules."""
    parser.add_argument(
        "--rules", metavar="DIR", type=Path, action="append", help="a folder with rules of your own (repeatable)"
    )


def declare_format(parser: argparse.ArgumentParser, *more: str) -> None:
    """--format; `more` are formats beside text and json."""
    choices = ("text", "json", *more)
    parser.add_argument("--format", choices=choices, default="text", help="text is the default")


def declare_failing(parser: argparse.ArgumentParser) -> None:
    """--check and what belongs to it: how a model fails."""
    parser.add_argument(
        "--check",
        metavar="CHECK",
        default="build",
        help="build (default), parse, numeric, nan, or a command that fails with the model ({} is its path)",
    )
    parser.add_argument("--match", metavar="REGEX", default="", help="a failing command prints this")
    parser.add_argument("--inputs", metavar="FILE.npz", type=Path, help="recorded inputs for numeric and nan")
    parser.add_argument(
        "--repeat",
        metavar="N",
        type=int,
        default=1,
        help="run a check up to N times, for a failure that comes and goes",
    )
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=300.0, help="for one check (300)")


def declare_asking(parser: argparse.ArgumentParser, seconds: float) -> None:
    """--ask-limit; `seconds` is its default."""
    parser.add_argument(
        "--ask-limit",
        metavar="SECONDS",
        type=seconds_of,
        default=seconds,
        help=f"how long a TensorRT that is installed may take to answer (default: {seconds:g}; 0: it is not asked)",
    )


def seconds_of(text: str) -> float:
    """A number of seconds, 0 or more."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def local(text: str) -> Path:
    """The path of a file of this machine."""
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is a URL: check, repair, show and diff take one, others a file")
    return Path(text)


def words(text: str) -> list[str]:
    """The words of a comma-separated list."""
    return [word.strip() for word in text.split(",") if word.strip()]
