"""How a call into the sandbox can fail."""

from __future__ import annotations

from onnxfix.errors import OnnxfixError


class SandboxFailure(OnnxfixError):
    """The call gave no result; one of the three classes below."""


class SandboxError(SandboxFailure):
    """The function raised: `kind` is the exception's class name, `message` its text."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind, self.message = kind, message
        super().__init__(f"{kind}: {message}")


class SandboxCrash(SandboxFailure):
    """The child died: `signal` is "SIGSEGV" or the like, or "exit code N".

    `log` is the end of what the libraries wrote to stdout and stderr, at most 2000 characters.
    """

    def __init__(self, function: str, signal: str, log: str = "") -> None:
        self.signal, self.log = signal, log
        super().__init__(f"{function} ended with {signal}")


class SandboxTimeout(SandboxFailure):
    """The call took longer than `seconds` and was stopped. `log` as in SandboxCrash."""

    def __init__(self, function: str, seconds: float, log: str = "") -> None:
        self.seconds, self.log = seconds, log
        super().__init__(f"{function} took longer than {seconds:g} s")
