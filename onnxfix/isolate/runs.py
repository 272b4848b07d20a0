"""What a search runs in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxfix.errors import OnnxfixError
from onnxfix.verify.compare import Figures, compare
from onnxfix.verify.lists import flat
from onnxfix.verify.oracle import Oracle
from onnxfix.verify.runtime import CannotLoad, CannotRun


def disagreements(path: str, outputs: Sequence[str], choices: Sequence[Mapping[str, Any]]) -> tuple[Figures, ...]:
    """The outputs in which ONNX Runtime and the reference evaluator differ, on the first choice that both take.

    Raises OnnxfixError when there is none.
    """
    for feeds in choices:
        try:
            first = flat(Oracle(Path(path), outputs, ("direct",)).run(feeds))
            second = flat(Oracle(Path(path), outputs, ("reference",)).run(feeds))
        except CannotRun as error:
            refused = str(error)
            continue
        except CannotLoad as error:
            raise OnnxfixError(str(error)) from None
        compared = (compare(name, second[name], array) for name, array in first.items() if name in second)
        return tuple(figures for figures in compared if figures.why)
    raise OnnxfixError(refused)
