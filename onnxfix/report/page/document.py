"""Everything that the page shows, as JSON types: the pictures, what changed, and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from onnxfix.changes.models import Compared
from onnxfix.changes.records import KINDS, Change, DiffReport
from onnxfix.model.inference import typed_scopes
from onnxfix.model.model import Model
from onnxfix.model.scope import scopes_of
from onnxfix.records import Diagnostic, Level
from onnxfix.report.diff import NOUNS, summary
from onnxfix.report.page.facts import NAME, Teller, facts_of
from onnxfix.report.page.folding import folds
from onnxfix.report.page.picture import Picture, alone, merged, title
from onnxfix.report.page.places import changed_parts, found_parts, labels_of
from onnxfix.report.text import counted, sentence, visible

_LINES, _PER_KIND, _SENTENCE, _NODES = 40, 300, 300, 200
_MARKING = ("attribute", "rewired", "weight", "input", "output")
_ORDER = ("removed", "inserted", "replaced", "attribute", "rewired", "input", "output", "weight")

Document = dict[str, Any]


def diff_document(
    compared: Compared, report: DiffReport, notes: Iterable[str] = (), findings: Sequence[Diagnostic] = ()
) -> Document:
    """The page of two models: their scopes laid over each other, the changes, and what was found in the second."""
    findings = [*_numbers(report.numbers), *findings]
    pictures = _pictures(compared)
    around = [{id(p.scopes[side]): p for p in reversed(pictures) if p.scopes[side] is not None} for side in (0, 1)]
    labels = labels_of(pictures)
    places = [changed_parts(pictures, labels, change) for change in report.changes]
    for change, (number, parts) in zip(report.changes, places, strict=True):
        if change.kind in _MARKING:
            _mark(pictures[number], parts)
        if change.kind in _ORDER:
            _mark_around(around, pictures[number])
    found = [found_parts(pictures, labels, finding) for finding in findings]
    items = [_change(*item) for item in zip(report.changes, places, strict=True)]
    items += [_finding(*item) for item in zip(findings, found, strict=True)]
    kinds = [*(change.kind for change in report.changes), *["finding"] * len(found)]
    return {
        "mode": "diff",
        "before": visible(report.before, 400),
        "after": visible(report.after, 400),
        "summary": summary(report),
        "notes": [sentence(note) for note in notes],
        "items": list(_shortened(sorted(items, key=lambda item: _rank(item["kind"])))),
        **_drawn(pictures, (compared.one, compared.two), _important([*places, *found], kinds)),
    }


def model_document(model: Model, findings: Sequence[Diagnostic] = (), notes: Iterable[str] = ()) -> Document:
    """The page of one model, with what `check` found in it."""
    pictures = [alone(scope) for scope in scopes_of(model)]
    labels = labels_of(pictures)
    places = [found_parts(pictures, labels, finding) for finding in findings]
    nodes = sum(part.kind == "node" for picture in pictures for part in picture.parts)
    return {
        "mode": "show",
        "before": "",
        "after": visible(model.label, 400),
        "summary": f"{counted(nodes, 'node')}, {counted(len(findings), 'finding')}",
        "notes": [sentence(note) for note in notes],
        "items": list(_shortened([_finding(*item) for item in zip(findings, places, strict=True)])),
        **_drawn(pictures, (model, model), _important(places, ["finding"] * len(places))),
    }


def _pictures(compared: Compared) -> list[Picture]:
    """The compared scopes, then those that only one model has."""
    known = [{c.one.scope.id for c in compared.comparisons}, {c.two.scope.id for c in compared.comparisons}]
    only = [
        alone(scope, side, "removed" if side == 0 else "inserted")
        for side, scopes in enumerate(compared.scopes)
        for scope in scopes.values()
        if scope.id not in known[side]
    ]
    return [*map(merged, compared.comparisons), *only]


def _mark(picture: Picture, parts: Iterable[int]) -> None:
    for number in parts:
        if picture.parts[number].status == "same":
            picture.parts[number].status = "changed"


def _mark_around(pictures: Sequence[Mapping[int, Picture]], picture: Picture) -> None:
    """A node is changed when a graph inside it is; `pictures` are those of the first and second model's scopes."""
    for side, scope in enumerate(picture.scopes):
        while scope is not None and scope.parent is not None:
            around = pictures[side][id(scope.parent)]
            number = around.numbers[side].get(("node", int(scope.id[-3])))
            _mark(around, [] if number is None else [number])
            scope = scope.parent


def _rank(kind: str) -> int:
    """Findings first, then changes of the graph, of weights, and of everything else."""
    every = ("finding", *_ORDER, *KINDS)
    return every.index(kind)


def _important(places: Sequence[tuple[int, list[int]]], kinds: Sequence[str]) -> dict[int, list[int]]:
    """For each picture the parts to show, pieces of the graph before weights, names last."""
    found: dict[int, list[int]] = {}
    for index in sorted(range(len(places)), key=lambda index: _rank(kinds[index])):
        number, parts = places[index]
        if kinds[index] in ("finding", *_ORDER):
            found.setdefault(number, []).extend(parts)
    return {number: list(dict.fromkeys(parts)) for number, parts in found.items()}


def _drawn(pictures: Sequence[Picture], models: tuple[Model, Model], important: dict[int, list[int]]) -> Document:
    typed = [typed_scopes(model)[0] for model in (models if models[0] is not models[1] else models[:1])]
    tellers = Teller({s.id: s for s in typed[0]}), Teller({s.id: s for s in typed[-1]})
    return {
        "scopes": [_picture(picture, tellers, important.get(number, [])) for number, picture in enumerate(pictures)]
    }


def _picture(picture: Picture, tellers: tuple[Teller, Teller], important: list[int]) -> Document:
    ends = [(edge.maker, edge.reader) for edge in picture.edges]
    nested = bool(important) and None not in picture.scopes  # what did not change is one box, a model is many
    ports = [number for number, part in enumerate(picture.parts) if part.kind != "node"]
    return {
        "label": visible(picture.label, NAME),
        "parts": [
            {
                "kind": part.kind,
                "status": part.status,
                "title": visible(title(picture, part), 40),
                "facts": facts_of(picture, part, tellers),
            }
            for part in picture.parts
        ],
        "edges": [
            [e.maker, e.reader, tellers[e.side].type(picture.scope(e.side), e.value), e.status] for e in picture.edges
        ],
        "folds": [
            [fold.parent, fold.parts] for fold in folds(len(picture.parts), ends, important, ports, nested=nested)
        ],
    }


def _numbers(numbers: Document) -> Iterator[Diagnostic]:
    """What both models computed on the same inputs, at the first node where they part."""
    if not numbers:
        return
    levels: dict[str, Level] = {"failed": "error", "not_verified": "warning"}
    level, first, message = levels.get(numbers["outcome"], "note"), numbers.get("first"), numbers["reason"]
    if first:
        message += f"; the first value that differs is {first['name']!r}: {first['why']}"
    yield Diagnostic("numbers", "on the same inputs", level, message, value=first["name"] if first else "")


def _change(change: Change, place: tuple[int, list[int]]) -> Document:
    return {
        "kind": change.kind,
        "group": f"repaired by {visible(change.rule)}" if change.rule else NOUNS[change.kind],
        "subject": visible(change.subject, NAME),
        "message": sentence(change.message, _SENTENCE),
        "rule": visible(change.rule),
        "level": "",
        "scope": place[0],
        "parts": place[1][:_NODES],
        "before": [sentence(line, _SENTENCE) for line in change.before[:_LINES]],
        "after": [sentence(line, _SENTENCE) for line in change.after[:_LINES]],
        "details": _details(change.details),
    }


def _details(details: Document) -> Document:
    """Figures short enough to be read; lists of numbers stay as they are."""
    return {
        visible(name): [int(count) for count in value]
        if name == "histogram"
        else f"{value:.4g}"
        if isinstance(value, float)
        else sentence(str(value), _SENTENCE)
        for name, value in details.items()
    }


def _finding(finding: Diagnostic, place: tuple[int, list[int]]) -> Document:
    return {
        "kind": "finding",
        "group": f"{finding.code} {finding.rule}",
        "subject": visible(finding.node or finding.value, NAME),
        "message": sentence(finding.message, _SENTENCE),
        "rule": "" if finding.code == "numbers" else visible(finding.code),
        "level": finding.level,
        "scope": place[0],
        "parts": place[1][:_NODES],
        "before": [],
        "after": [],
        "details": {},
    }


def _shortened(items: Sequence[Document]) -> Iterator[Document]:
    """At most 300 of each kind, so that a renamed model does not fill the page; how many there are is kept."""
    counts: Counter[str] = Counter()
    totals = Counter(item["group"] for item in items)
    for item in items:
        counts[item["group"]] += 1
        if counts[item["group"]] <= _PER_KIND:
            yield {**item, "total": totals[item["group"]]}
