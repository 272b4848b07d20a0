"""What a check says of a model, and the answers kept so that a search that was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from onnxfix.files import write_whole


@dataclass(frozen=True, slots=True)
class Answer:
    """`sign` tells one failure from another, "" when the model does not fail; `message` is for people: how it
    fails, or why that cannot be said.

    `nodes` are those that the failure itself names: (label of the scope, index).  `figures` are the numbers of the
    outputs that differ, or of the first value that is not finite, as JSON types.
    """

    sign: str = ""
    message: str = ""
    nodes: tuple[tuple[str, int], ...] = ()
    figures: tuple[dict[str, Any], ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the model fails."""
        return bool(self.sign)


class Answers:
    """The answers of one search by the fingerprint of the candidate; a file keeps them when `path` is given."""

    def __init__(self, path: Path | None, subject: str) -> None:
        self._path, self._subject = path, subject
        self._signs: dict[str, str] = {}
        self.recalled = 0
        if path is not None:
            self._signs = _read(path, subject)

    def of(self, proto: onnx.ModelProto, ask: Callable[[], str]) -> str:
        """The sign for a candidate: the one kept, or that of `ask`, which is then kept."""
        key = hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()
        if key in self._signs:
            self.recalled += 1
            return self._signs[key]
        self._signs[key] = ask()
        if self._path is not None:
            text = json.dumps({"subject": self._subject, "answers": self._signs})
            write_whole(self._path, text.encode())
        return self._signs[key]

    def forget(self) -> None:
        """The search is over: the file goes."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _read(path: Path, subject: str) -> dict[str, str]:
    """The answers of an earlier run of the same search; none when the file is another's, or damaged."""
    with suppress(OSError, ValueError, AttributeError):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("subject") == subject:
            return {str(key): str(value) for key, value in document["answers"].items()}
    return {}
