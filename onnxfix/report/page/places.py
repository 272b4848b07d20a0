"""Where in the pictures a change or a finding is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnxfix.changes.records import Change
from onnxfix.records import Diagnostic
from onnxfix.report.page.picture import Picture


@dataclass(frozen=True)
class Labels:
    """The number of the first picture of each label, and of the first that shows something of the second model."""

    every: Mapping[str, int]
    second: Mapping[str, int]


def labels_of(pictures: Sequence[Picture]) -> Labels:
    """Where to look for a scope."""
    numbered = list(enumerate(pictures))[::-1]
    return Labels(
        {picture.label: number for number, picture in numbered},
        {picture.label: number for number, picture in numbered if picture.scopes[1]},
    )


def changed_parts(pictures: Sequence[Picture], labels: Labels, change: Change) -> tuple[int, list[int]]:
    """(number of the picture, numbers of the parts in it)."""
    number = labels.every.get(change.scope)
    if number is None:
        return 0, []
    picture = pictures[number]
    if change.kind in ("input", "output"):
        return number, _unique(p for side in (0, 1) for p in [picture.numbers[side].get((change.kind, change.subject))])
    parts = _unique(
        part
        for side, names in enumerate((change.old, change.new))
        for name in names
        for part in _made(picture, side, name)
    )
    if not parts and not change.old and not change.new:
        parts = _unique(part for side in (1, 0) for part in _named(picture, side, change.subject))
    return number, parts


def found_parts(pictures: Sequence[Picture], labels: Labels, finding: Diagnostic) -> tuple[int, list[int]]:
    """(number of the picture, numbers of the parts in it)."""
    number = labels.second.get(finding.scope)
    if number is None:
        return 0, []
    picture = pictures[number]
    index = picture.node_named(finding.node)
    if index is not None and finding.op_type in ("", picture.scope(1).nodes[index].op_type):
        return number, _unique([picture.numbers[1].get(("node", index))])
    return number, _unique(_named(picture, 1, finding.value)) if finding.value else []


def _named(picture: Picture, side: int, name: str) -> Iterator[int | None]:
    """The parts that have to do with a value: who makes it, the input or output of that name, else who reads it."""
    scope = picture.scopes[side]
    if scope is None or not name:
        return
    direct = [*_made(picture, side, name), *(picture.numbers[side].get((kind, name)) for kind in ("input", "output"))]
    if any(number is not None for number in direct):
        yield from direct
    else:
        yield from (picture.numbers[side].get(("node", index)) for index, _ in scope.users.get(name, ()))


def _made(picture: Picture, side: int, name: str) -> Iterator[int | None]:
    scope = picture.scopes[side]
    if scope is not None and name in scope.producer:
        yield picture.numbers[side].get(("node", scope.producer[name][0]))


def _unique(numbers: Iterable[int | None]) -> list[int]:
    return list(dict.fromkeys(number for number in numbers if number is not None))
