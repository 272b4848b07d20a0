"""The YAML files of the fact base: each is read once, and only when a query needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Track = Literal["trt", "rtx"]
AdviceName = Literal[
    "advice/model",
    "advice/build",
    "advice/runtime",
    "advice/plugins",
    "advice/onnxruntime",
    "advice/cuda",
    "advice/export",
    "advice/python",
    "advice/programs",
]
FactName = Literal["cuda_errors", "devices", "operators", "parser_errors", "programs", "releases", "repairs"]


@cache
def table(name: FactName | AdviceName) -> Mapping[str, Any]:
    """One file of the fact base. The result is shared: do not change it."""
    return Blocks(files("onnxfix.targets.data").joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


class Blocks(Mapping[str, Any]):
    """A mapping in YAML's block style; only the entries that are asked for are parsed, since a file has thousands.

    Every key stands at the start of a line behind `indent` spaces, what it holds deeper; the entries of the file
    itself are split in the same way.
    """

    def __init__(self, text: str, indent: int = 0) -> None:
        heads = list(re.finditer(_KEY.format(indent=indent), text))
        ends = [*(head.start() for head in heads[1:]), len(text)]
        self._indent = indent
        self._texts = {head[2]: text[head.end() : end] for head, end in zip(heads, ends, strict=True)}
        self._values: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._values:
            self._values[key] = self._parsed(self._texts[key])
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def _parsed(self, text: str) -> Any:
        if self._indent == 0 and re.match(r" *(?:#.*)?\n" + _KEY.format(indent=2), text):
            return Blocks(text, 2)
        import yaml

        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


_KEY = r"(?m:^) {{{indent}}}(\"?)([\w.-]+)\1:"


@cache
def version_key(version: str) -> tuple[int, ...]:
    """The order of versions: 8.6 < 10.0 < 10.13 < 10.13.3; a variant (6.0-fulldims) follows its base (6.0)."""
    numbers, _, variant = version.partition("-")
    return (*map(int, numbers.split(".")), *([1] if variant else []))


def holds(entry: Mapping[str, Any], version: str) -> bool:
    """Whether `version` lies in the half-open span from `since` to `until`; a missing end is open."""
    since, until = entry.get("since"), entry.get("until")
    started = since is None or version_key(since) <= version_key(version)
    return started and (until is None or version_key(version) < version_key(until))


def in_force(entries: Iterable[Mapping[str, Any]], version: str) -> Mapping[str, Any] | None:
    """The last entry of an ordered list that holds at `version`, or None before the first one."""
    return next((entry for entry in reversed(list(entries)) if holds(entry, version)), None)


def cite(source: str, sources: Mapping[str, Any]) -> str:
    """A source key of a table (`cmake`, or several: `jp502+cmake`) as text a reader can follow."""
    keys = [source] if source in sources else source.split("+")
    return "; ".join(citation(sources[key]) if key in sources else key for key in keys)


def citation(source: Mapping[str, Any]) -> str:
    """One source entry as text: an address, a file of a repository at a commit, or how it was measured."""
    if "url" in source:
        return str(source["url"])
    origin = source.get("repo") or source.get("package") or source.get("wheel") or ""
    revision = source.get("tag") or source.get("branch") or source.get("commit") or source.get("at") or ""
    parts = [origin, source.get("file", ""), source.get("how", ""), source.get("note", "")]
    text = ", ".join(str(part) for part in parts if part)
    return f"{text} ({revision})" if revision else text
