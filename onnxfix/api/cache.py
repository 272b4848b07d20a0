"""Reports of models that have not changed since: kept in a folder, found by content.

A report is found again by what it depends on: the bytes of the model and of its weight files, the target, the rules,
what was asked, and the versions of onnxfix and of the libraries.  Nothing is found by name or time.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from onnxfix import __version__
from onnxfix.errors import OnnxfixError
from onnxfix.files import state_of, write_whole
from onnxfix.records import CheckReport, Diagnostic, ModelSummary

LIBRARIES = (
    *("onnx", "onnxruntime", "numpy", "protobuf", "tensorrt", "tensorrt-rtx", "tensorrt-rtx-cu13"),
    *("tensorrt-rtx-cu12", "tensorrt-cu13", "tensorrt-cu12"),
)
_DRIVER = Path("/proc/driver/nvidia/version")
_FORM = 1


def default_folder() -> Path:
    """ONNXFIX_CACHE, else `onnxfix` in the user's folder for caches."""
    if own := os.environ.get("ONNXFIX_CACHE"):
        return Path(own)
    base = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else os.environ.get("XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache") / "onnxfix"


@dataclass(frozen=True)
class Cache:
    """Reports in `folder` (None: nothing is kept); `asked` is all that a report depends on beside the model."""

    folder: Path | None
    asked: str = ""

    def of(self, *asked: object) -> Cache:
        """The same folder, for another question."""
        return Cache(self.folder, _digest([self.asked.encode(), repr(asked).encode()]))

    def get(self, path: Path) -> CheckReport | None:
        """The kept report of a model; None when there is none, or a weight file is another one now."""
        place = self._place(path)
        if place is None:
            return None
        try:
            entry = json.loads(place.read_bytes())
            if all(state_of(path.parent / name) == state for name, state in entry["weights"].items()):
                return report_from(entry["report"], str(path))
        except (OSError, ValueError, TypeError, KeyError):  # not kept, or damaged
            return None
        return None

    def put(self, path: Path, report: CheckReport, weights: Iterable[Path]) -> None:
        """Keep a report; a folder that cannot be written to keeps nothing."""
        place = self._place(path)
        if place is None:
            return
        with suppress(OSError, OnnxfixError):
            own = {os.path.relpath(file, path.parent): state_of(file) for file in weights}
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, json.dumps({"weights": own, "report": report.to_json()}).encode())

    def _place(self, path: Path) -> Path | None:
        if self.folder is None:
            return None
        with suppress(OSError):
            return self.folder / "check" / f"{_digest([self.asked.encode(), _file_digest(path).encode()])}.json"
        return None


def question(folder: Path | None, rules: Sequence[Path]) -> Cache:
    """The cache for what this installation answers with these folders of rules."""
    installed = [f"{name} {_version(name)}" for name in LIBRARIES]
    driver = _DRIVER.read_text() if _DRIVER.exists() else ""
    own = [_file_digest(file) for place in rules for file in sorted(place.rglob("*.toml"))]
    return Cache(folder).of(_FORM, __version__, sys.version, installed, driver, _program(), own)


@cache
def _program() -> str:
    """The files of onnxfix itself, by name, size and time: an installation that is edited answers anew."""
    from importlib.util import find_spec

    parts = []
    for package in ("onnxfix", "onnxfix_rules"):
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for folder, _, names in os.walk(place):
                parts += [_stamp(folder, name) for name in names if name.endswith((".py", ".toml", ".yaml"))]
    return _digest([part.encode() for part in sorted(parts)])


def _stamp(folder: str, name: str) -> str:
    return f"{folder}/{name} {state_of(Path(folder, name))}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _file_digest(path: Path) -> str:
    """Raises OSError for what is no regular file: a pipe would be waited for."""
    if not path.is_file():
        raise OSError("not a regular file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def report_from(table: dict[str, Any], label: str) -> CheckReport:
    """The report that was told as JSON, under the name that the model has now."""
    known = {field.name for field in fields(CheckReport)}
    values = {key: value for key, value in table.items() if key in known}
    summary: dict[str, Any] = values["summary"]
    names = {key: tuple(summary[key]) for key in ("inputs", "outputs")}
    values["summary"] = ModelSummary(**{**summary, **names})
    values["diagnostics"] = tuple(Diagnostic(**item) for item in values["diagnostics"])
    return CheckReport(**{**values, "model": label, "notes": tuple(values["notes"])})
