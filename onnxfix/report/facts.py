"""The facts about a model as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from onnxfix.report.text import Line, counted, sentence, size_text, visible

if TYPE_CHECKING:
    from onnxfix.model.facts import Facts, ScopeFacts, ValueFacts

_ITEMS, _PATH, _LABEL = 40, 400, 11


def facts_lines(facts: Facts) -> Iterator[Line]:
    """A few lines for each kind of fact; kinds that the model lacks are left out."""
    opsets = ", ".join(f"{visible(domain)} {version}" for domain, version in facts.opsets.items())
    yield ((visible(facts.model, _PATH), "bold"), f"   {size_text(facts.file_bytes)}")
    yield from _part("opset", [opsets or "none"])
    yield from _part("IR version", [str(facts.ir_version)])
    yield from _part("producer", [visible(facts.producer)] if facts.producer else [])
    yield from _part("inputs", map(_value, facts.inputs))
    yield from _part("outputs", map(_value, facts.outputs))
    yield from _part("nodes", [str(facts.nodes)])
    yield from _part("operators", (f"{count:6}  {visible(name)}" for name, count in facts.operators.items()))
    yield from _part(
        "weights",
        (
            f"{w.dtype}: {counted(w.tensors, 'tensor')}, {w.elements:,} values, {size_text(w.bytes)}"
            for w in facts.weights
        ),
    )
    yield from _part("external", (f"{visible(name)}  {size_text(size)}" for name, size in facts.external.items()))
    yield from _part("subgraphs", map(_scope, facts.subgraphs))
    yield from _part("functions", map(_scope, facts.functions))
    yield from _part("metadata", (f"{visible(key)} = {sentence(text, 200)}" for key, text in facts.metadata.items()))


def _part(label: str, items: Iterable[str]) -> Iterator[Line]:
    """The label before the first item, the others below it; only the first forty."""
    every = list(items)
    for number, item in enumerate(every[:_ITEMS]):
        yield ((f"{label if not number else '':{_LABEL}}", "dim"), item)
    if len(every) > _ITEMS:
        yield (" " * _LABEL, (f"and {len(every) - _ITEMS} more, in --format json", "dim"))


def _value(value: ValueFacts) -> str:
    if value.kind != "tensor":
        return f"{value.kind} {visible(value.name)}"
    shape = "[?, ...]" if value.shape is None else ",".join("?" if dim is None else str(dim) for dim in value.shape)
    return f"{value.dtype}{shape if value.shape is None else f'[{visible(shape)}]'} {visible(value.name)}"


def _scope(scope: ScopeFacts) -> str:
    return f"{visible(scope.name, 200)}  {counted(scope.nodes, 'node')}"
