"""The check that a user brings: a program that fails with the model."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from onnxfix.errors import OnnxfixError
from onnxfix.files import state_of
from onnxfix.isolate.answers import Answer
from onnxfix.model import Model

PLACES = ("{model}", "{}")
"""What stands for the model's file in a command."""

_SHOWN = 300
_TRACEBACK = "Traceback (most recent call last)"
_EXCEPTION = re.compile(r"^(?:[A-Za-z_]\w*\.)*(?P<kind>[A-Z]\w*)(?:: .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A program that ends with another code than 0, or by a signal, when the model fails.

    The file's path takes the place of `{}` or `{model}`, or comes last.  With `match`, a regular expression, a run
    fails only when it is found in what the program prints; else it must end as it did for the whole model: by the same
    code or signal, and, where that is a Python traceback, by the same exception.
    """

    words: tuple[str, ...]
    match: str = ""
    timeout: float = 300.0

    @property
    def title(self) -> str:
        """The command line."""
        return " ".join(word if word in PLACES else shlex.quote(word) for word in self.words)

    def state(self) -> str:
        """Size and time of the files that the words name: with another program, the answers are others."""
        found = []
        for word in self.words:
            with suppress(OSError, ValueError):  # no file at all, or no name of one
                found.append(state_of(Path(word)))
        return " ".join(found)

    def __call__(self, path: Path, model: Model) -> Answer:  # noqa: ARG002
        """Runs it. Raises OnnxfixError when the program does not exist."""
        try:
            code, said = self._run(self._with(str(path)))
        except subprocess.TimeoutExpired:
            return Answer("timeout", f"the command took longer than {self.timeout:g} s")
        except OSError as error:
            hint = "build, parse, numeric and nan need no program" if len(self.words) == 1 else ""
            raise OnnxfixError(f"cannot be run: {error.strerror}", where=self.title, hint=hint) from None
        if self.match:
            found = re.search(self.match, said)
            return Answer("match", " ".join(found.group().split())[:_SHOWN]) if found else Answer()
        if not code:
            return Answer()
        ending = _ending(code)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        message = f"{ending}: {lines[-1][:_SHOWN]}" if lines else ending
        return Answer(f"{ending} {_exception(said)}".rstrip(), message)

    def _with(self, path: str) -> list[str]:
        """The words with the model in its place."""
        words = list(self.words)
        for place in PLACES:
            words = [word.replace(place, path) for word in words]
        return words if words != list(self.words) else [*words, path]

    def _run(self, words: list[str]) -> tuple[int, str]:
        """(how it ended, what it printed). Whatever it started ends with it."""
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                said = process.communicate(timeout=self.timeout)
            finally:
                _end(process.pid)
        return process.returncode, "\n".join(said)


def _end(group: int) -> None:
    """End what is left of a group of processes."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _exception(said: str) -> str:
    """The class of the exception that a Python program ended with, "" when it printed no traceback."""
    behind = said.rpartition(_TRACEBACK)[2] if _TRACEBACK in said else ""
    found = _EXCEPTION.search(behind)
    return found["kind"] if found else ""


def _ending(code: int) -> str:
    """How a program ended; shells tell a signal as 128 and its number."""
    number = -code if code < 0 else code - 128
    if code < 0 or code > 128:
        return signal.Signals(number).name if number in set(signal.Signals) else f"exit code {code}"
    return f"exit code {code}"
