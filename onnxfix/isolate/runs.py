"""What a search runs in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxfix.errors import OnnxfixError
from onnxfix.model.model import Array
from onnxfix.verify.compare import Figures, compare
from onnxfix.verify.lists import flat
from onnxfix.verify.oracle import Oracle
from onnxfix.verify.runtime import CannotLoad, CannotRun


def disagreements(
    path: str, outputs: Sequence[str], choices: Sequence[Mapping[str, Any]], draws: bool
) -> tuple[Figures, ...]:
    """The outputs in which ONNX Runtime and the reference evaluator differ, on the first choice that both take.

    With `draws`, each runs twice, and an output that is another the second time is random and left out.
    Raises OnnxfixError when there is no such choice.
    """
    refused = "nothing is to be fed"
    for feeds in choices:
        try:
            first, loose = _values(path, outputs, feeds, "direct", draws)
            second, free = _values(path, outputs, feeds, "reference", draws)
        except CannotRun as error:
            refused = str(error)
            continue
        except CannotLoad as error:
            raise OnnxfixError(str(error)) from None
        shared = [name for name in first if name in second and name not in loose | free]
        return tuple(figures for name in shared if (figures := compare(name, second[name], first[name])).why)
    raise OnnxfixError(refused)


def _values(
    path: str, outputs: Sequence[str], feeds: Mapping[str, Any], way: str, draws: bool
) -> tuple[dict[str, Array], set[str]]:
    """What one of them computes, and the names of what is random in it."""
    oracle = Oracle(Path(path), outputs, (way,))
    found = flat(oracle.run(feeds))
    again = flat(oracle.run(feeds)) if draws else found
    return found, {name for name, array in found.items() if name not in again or compare(name, array, again[name]).why}
