"""One model of a batch: what is to be done with it, and the doing in this process."""

from __future__ import annotations

import hashlib
import json
import os
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from onnxfix.batch.urls import is_remote, label
from onnxfix.errors import ModelFileError, OnnxfixError
from onnxfix.files import state_of

Line = dict[str, Any]
"""What became of one task, as JSON types: docs/batch.schema.json."""

_FORM = 1
_ELSEWHERE = ("cache",)
"""Settings that change nothing in the result."""


@dataclass(frozen=True)
class Task:
    """One model and what to do with it; travels as a pickle or as JSON.

    `place` is a local path or the URL of a store, `verb` is "check" or "repair".  `settings` are keyword arguments as
    JSON values: for a repair those of `onnxfix.repair`, for a check the fields of `Checking`.  `size` are the bytes of
    model and weights, for the memory budget.  `state` tells one content of the place from another: size and time of its
    files, or what a store says of the version.
    """

    place: str
    verb: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0
    state: str = ""

    @property
    def key(self) -> str:
        """What makes it the same work: the place, its content, the settings, and the versions of what does it."""
        return f"{self.work}-{hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]}"

    @property
    def work(self) -> str:
        """The same, whatever the place holds."""
        place = self.place if is_remote(self.place) else os.path.abspath(self.place)  # noqa: PTH100 - links stay
        settings = {name: value for name, value in self.settings.items() if name not in _ELSEWHERE}
        versions = _versions(tuple(self.settings.get("rules", ())))
        inputs = _state(self.settings.get("inputs"))
        asked = json.dumps([_FORM, place, self.verb, settings, inputs, versions], sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()[:20]


def _state(inputs: str | None) -> str:
    """Which recorded inputs these are; "" for none."""
    with suppress(OSError):  # told when they are read
        return state_of(Path(inputs)) if inputs else ""
    return ""


@cache
def _versions(rules: tuple[str, ...]) -> str:
    from onnxfix.api.cache import question

    return question(None, [Path(folder) for folder in rules]).asked


def perform(task: Task) -> Line:
    """Do one task in this process; bad input becomes a line with an `error`, and so does a mistake of onnxfix."""
    from onnxfix.batch.verbs import performed

    started = time.perf_counter()
    try:
        result = performed(task)
    except OnnxfixError as error:
        result = failure("unreadable" if isinstance(error, ModelFileError) else "refused", str(error))
    except Exception as error:  # one model must not end the batch
        what = f"{label(task.place)}: {type(error).__name__}: {error} (run with ONNXFIX_TRACEBACK=1 for details)"
        result = failure("internal", what, trace=traceback.format_exc())
    return line(task, result, time.perf_counter() - started)


def line(task: Task, result: Mapping[str, Any], seconds: float) -> Line:
    """The line of a task: the part that all have, and its result."""
    head = {"key": task.key, "place": label(task.place), "verb": task.verb}
    return {**head, **result, "seconds": round(seconds, 3)}


def failure(kind: str, message: str, **more: str) -> dict[str, Any]:
    """The result of a task that gave no report.

    `kind`: "unreadable" (the file), "refused" (settings that do not fit it), "crashed", "timeout", or "internal".
    """
    return {"outcome": "failed", "exit_code": 2, "error": {"kind": kind, "message": message, **more}}
