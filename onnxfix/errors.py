"""The one error a user sees: what is wrong, where, and what to do about it."""

from __future__ import annotations


class OnnxfixError(Exception):
    """Bad input or usage: one line for the user, exit code 2.

    `what` says what is wrong, `where` names the file, node or value, `hint` says what to do.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return " ".join(f"{place}{self.what}{advice}".split())


class ModelFileError(OnnxfixError):
    """A file that cannot be read as an ONNX model, or cannot be written."""


class Irreducible(OnnxfixError):
    """A model that does not fail a check, or a check that fails for every model: nothing is to be made smaller."""


class RuleError(OnnxfixError):
    """A mistake in a rule file; `where` is the file and the key inside it."""


class NotConverged(OnnxfixError):
    """The rules kept changing the model without reaching an end; `hint` names the rules that fought."""
