"""The checks that `reduce` and `report` ask, by the names that users give them."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from onnxfix.errors import OnnxfixError
from onnxfix.isolate.answers import Answer
from onnxfix.isolate.checks import Check, Engine, Finite, Numeric
from onnxfix.isolate.command import Command
from onnxfix.isolate.flow import Flow
from onnxfix.isolate.innermost import innermost
from onnxfix.model import Model, load
from onnxfix.verify.budget import ENGINE, NUMERIC, ensure_memory
from onnxfix.verify.lists import flat
from onnxfix.verify.values import recorded_inputs

_FACTORS = {"build": ENGINE, "parse": ENGINE, "numeric": ENGINE, "nan": NUMERIC}
_FED = ("numeric", "nan")

CHECKS = tuple(_FACTORS)
"""The checks that have a name; any other is a command line."""


@dataclass(frozen=True, slots=True)
class Failing:
    """What to ask of a model.

    `check` is "build", "parse", "numeric", "nan", or a command line; `match` is a regular expression that a failing
    command prints.  `timeout` is in seconds, for one run of the check, and `repeat` is how often it is run that does
    not fail each time.
    """

    check: str = "build"
    match: str = ""
    timeout: float = 300.0
    repeat: int = 1

    def refuse_senseless(self, inputs: object) -> None:
        """Raises OnnxfixError for options that make no sense, or do not belong to the check."""
        try:
            re.compile(self.match)
        except re.error as error:
            raise OnnxfixError(f"is no regular expression: {error}", where=f"--match {self.match}") from None
        if not self.timeout > 0:
            raise OnnxfixError("is no time to wait", where=f"--timeout {self.timeout:g}", hint="give seconds above 0")
        if self.repeat < 1:
            raise OnnxfixError("runs no check", where=f"--repeat {self.repeat}", hint="give 1 or more")
        if self.match and self.check in _FACTORS:
            raise OnnxfixError("belongs to a command", where="--match", hint=f"the check {self.check} needs none")
        if inputs and self.check not in _FED:
            raise OnnxfixError("belongs to the checks numeric and nan", where="--inputs", hint="leave it out")

    def of(self, whole: Model, inputs: str | Path | None) -> tuple[Check, Model]:
        """The check for parts of a model, and the model in which a search begins; `inputs` is a .npz file.

        Raises OnnxfixError for a command or inputs that cannot be read, and weights beyond the memory.
        """
        if self.check in _FACTORS:
            ensure_memory(whole, _FACTORS[self.check])
        if self.check in ("build", "parse"):
            return Engine("build" if self.check == "build" else "parse", timeout=self.timeout), whole
        feeds = recorded_inputs(Path(inputs), whole) if inputs else None
        if self.check == "numeric":
            return Numeric(self.timeout, Flow(whole, feeds, self.timeout) if feeds is not None else None), whole
        if self.check == "nan":
            return innermost(whole, feeds, self.timeout)
        return Command(self._words(), self.match, self.timeout), whole

    def _words(self) -> tuple[str, ...]:
        try:
            words = tuple(shlex.split(self.check))
        except ValueError as error:
            raise OnnxfixError(f"the command cannot be read: {error}", where=self.check) from None
        if not words:
            raise OnnxfixError("the check is empty", hint="give a command, or build, parse, numeric or nan")
        return words

    def subject(self, whole: Model, check: Check) -> str:
        """What a search is about: its answers are of no use to another, nor when a file of the command has changed."""
        digest = hashlib.sha256(whole.proto.SerializeToString(deterministic=True))
        flow = flow_of(check)
        for name, array in sorted(flat(flow.feeds).items()) if flow else ():
            digest.update(f"{name} {array.dtype} {array.shape} ".encode())
            digest.update(repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes())
        state = check.state() if isinstance(check, Command) else ""
        return " ".join([digest.hexdigest(), check.title, self.match, str(self.repeat), state])

    def ask(self, file: Path, inputs: Path | None) -> Answer:
        """The answer for one model in a file, asked until it fails. Raises as `of`."""
        model = load(file)
        check, start = self.of(model, inputs)
        answers = (check(file, start) for _ in range(self.repeat))
        return next((answer for answer in answers if answer.failed), Answer())


def flow_of(check: Check) -> Flow | None:
    """What a check feeds to the parts of a model, None when it needs nothing or makes up its own."""
    return check.flow if isinstance(check, Finite | Numeric) else None
