"""What a TensorRT library says while it works."""

from __future__ import annotations

import functools
import re
from typing import Any

# Printed at the end of any failed build where no driver is; it is not the cause.
_NO_DRIVER = re.compile(r"CUDA driver version is insufficient|cudaError(Insufficient| 35)|CUDA initialization failure")


@functools.cache
def logger(module: Any) -> Any:
    """The one logger of the process (TensorRT ignores a second one); `take()` gives the errors since the last time."""

    class Log(module.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: list[str] = []
            self.serious = {module.ILogger.Severity.ERROR, module.ILogger.Severity.INTERNAL_ERROR}

        def log(self, severity: Any, message: str) -> None:
            if severity in self.serious:
                self.errors.append(message.strip())

        def take(self) -> list[str]:
            errors, self.errors = self.errors, []
            return errors

    return Log()


def causes(messages: list[str], gpu: bool) -> list[str]:
    """The messages without the driver's complaint, unless that is all there is."""
    useful = messages if gpu else [text for text in messages if not _NO_DRIVER.search(text)]
    return useful or messages or ["the builder gave no reason"]
