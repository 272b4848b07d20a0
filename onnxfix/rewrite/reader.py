"""One table of a rule file, read key by key; every mistake names the file, the key and the cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onnxfix.errors import RuleError


@dataclass(frozen=True)
class Reader:
    """One table of one file; `at` is its key path."""

    source: str
    table: Mapping[str, Any]
    at: str = ""

    def error(self, key: str, cause: str) -> RuleError:
        """The error to raise about a key, "" for the table itself."""
        path = ".".join(filter(None, (self.at, key)))
        return RuleError(cause, where=f"{self.source}: {path}" if path else self.source)

    def known(self, keys: set[str]) -> None:
        """Raise RuleError when the table has another key."""
        for key in self.table:
            if key not in keys:
                raise self.error(key, f"unknown key; there are: {', '.join(sorted(keys))}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there and not blank (RuleError)."""
        value = self.table.get(key, default)
        if value is None:
            raise self.error(key, "missing")
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(key, "must be a text" if not isinstance(value, str) else "is empty")
        return value

    def names(self, key: str) -> frozenset[str]:
        """A list of texts, empty when absent; RuleError for anything else."""
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of names")
        return frozenset(value)

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """A text that is one of the choices, else RuleError."""
        value = self.text(key, default)
        if value not in choices:
            raise self.error(key, f"is {value!r}; must be one of {', '.join(filter(None, choices))}")
        return value

    def tables(self, key: str) -> Iterator[Reader]:
        """A Reader for each table of a list, [[key]] in TOML; RuleError for anything else."""
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, f"must be written as [[{key}]]")
        for number, table in enumerate(value, 1):
            yield Reader(self.source, table, f"{key}[{number}]")
