"""The command line: finds the command, and turns every failure into one line and an exit code.

Exit codes: 0 clean, or all fixed and verified; 1 defects remain, or a check did not pass; 2 usage, file or internal
error; 130 interrupted; 141 the reader of the output went away; 143 told to end.  A command's module is imported only
when it runs.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from onnxfix import __version__
from onnxfix.cli import streams
from onnxfix.errors import OnnxfixError
from onnxfix.report.text import sentence

COMMANDS = {
    "repair": "repair a model, prove the repair, and write it",
    "check": "say what is wrong with models, for one TensorRT or several; change nothing",
    "explain": "what a message or a log means, and what repairs it",
    "targets": "the TensorRT releases and devices, and what is known of them",
    "run": "run a model or a plan file on the GPU, and time it",
    "compare": "compare an engine with its model: per output and per layer",
    "diff": "what changed between two models",
    "extract": "write a part of a model: between values, or around a node",
    "reduce": "find the smallest part of a model that still fails",
    "report": "gather what a bug report needs: machine, messages, the smallest model",
    "show": "the facts about a model: interface, operators, weights",
    "build": "build a TensorRT engine and write its plan file",
    "inspect": "what a plan file holds, and whether it loads here",
    "doctor": "what this machine has, what is broken, and how to mend it",
    "opset": "which opset versions a model can reach, and what keeps it from the others",
    "git install": "let git show what changed in models",
    "git uninstall": "undo `git install`",
    "git textconv": "a model as text; git calls this",
    "git driver": "the difference of two models; git calls this",
    "rules": "list the rules, or explain one",
    "rules test": "run the examples of your own rules",
    "rules new": "write the skeleton of a rule",
}

INTERRUPTED, READER_GONE, TERMINATED = 130, 141, 143

CONTAINERS = 100_000
"""So many more of them make Python look for cycles.  A model is many containers without cycles; the default is 700."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that knows no abbreviations and repeats nothing unseen to the terminal."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Print the usage and the mistake, and exit with 2."""
        super().error(sentence(message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; `arguments` are those of the process by default.  Returns the exit code."""
    streams.prepare()
    _clean_up_when_told_to_end()
    gc.set_threshold(CONTAINERS)
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments))
        streams.flush()
        return code
    except (KeyboardInterrupt, SystemExit) as end:
        with suppress(OSError, OnnxfixError):
            streams.flush()
        return int(end.code or 0) if isinstance(end, SystemExit) else INTERRUPTED
    except BrokenPipeError:
        with suppress(BrokenPipeError):
            streams.flush()
        return READER_GONE
    except OnnxfixError as error:
        return _fail(str(error))
    except Exception as error:
        return _crash(error)


def _clean_up_when_told_to_end() -> None:
    """SIGTERM unwinds the program, so that its temporary files go; its default would leave them behind."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)


def _end(*_: object) -> NoReturn:
    raise SystemExit(TERMINATED)


def _run(words: list[str]) -> int:
    name = next((name for name in (" ".join(words[:2]), *words[:1]) if name in COMMANDS), "")
    try:
        if not name:
            return _no_command(words)
        module = import_module(f"onnxfix.cli.{name.replace(' ', '_')}")
        parser = Parser(f"onnxfix {name}", description=module.__doc__)
        module.declare(parser)
        options = parser.parse_args(words[len(name.split()) :])
    except SystemExit as stop:  # argparse has said what is wrong, or printed the help
        return int(stop.code or 0)
    code: int = module.run(options)
    return code


def _no_command(words: list[str]) -> int:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {summary}" for name, summary in COMMANDS.items())
    parser = Parser(
        "onnxfix",
        usage="onnxfix COMMAND ...",
        description="Repairs ONNX models that TensorRT refuses, and proves the repair by numbers.",
        epilog=f"commands:\n{listing}\n\n`onnxfix COMMAND --help` explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"onnxfix {__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    command = parser.parse_known_args(words)[0].command
    parser.error(f"no command is called {command}" if command else "name a command")


def _crash(error: Exception) -> int:
    if os.environ.get("ONNXFIX_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    return _fail(f"{type(error).__name__}: {error} (run with ONNXFIX_TRACEBACK=1 for details)")


def _fail(message: str) -> int:
    streams.tell(f"onnxfix: {sentence(message)}")
    return 2
