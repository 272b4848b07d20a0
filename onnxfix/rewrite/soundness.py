"""Is a rewrite sound in itself: one connected pattern, every value made again, every name bound?"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from onnxfix.rewrite.rule import Rewrite


def mistakes(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    """(key of the rule file, cause) of each mistake."""
    yield from _structure(rewrite)
    yield from _expressions(rewrite)
    yield from _replacement(rewrite)


def _structure(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    read = {name for node in rewrite.pattern for name in node.inputs}
    for name in sorted(rewrite.made - read - set(rewrite.results)):
        yield "with", f"does not make {name!r}, which the pattern makes and does not use"
    if rewrite.root.is_constant:
        yield "match", "must not end with a Constant"
    reached, todo = {*rewrite.root.inputs, *rewrite.root.outputs}, list(rewrite.pattern[:-1])
    while linked := [n for n in todo if reached & ({*n.inputs, *n.outputs} - {""})]:
        reached |= {name for node in linked for name in (*node.inputs, *node.outputs)}
        todo = [node for node in todo if node not in linked]
    if todo:
        yield "match", f"{todo[0].op_type} is not connected to the other nodes"


def _expressions(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    known = _values(rewrite) | _attributes(rewrite)
    expressions = [("where", rewrite.where)] if rewrite.where else []
    for key, expression in expressions:
        if not expression.names <= known:
            yield key, f"{_listed(expression.names - known)} is bound nowhere in the pattern"
    for name, expression in rewrite.lets:
        if not expression.names <= known:
            yield f"let.{name}", f"{_listed(expression.names - known)} is bound nowhere before it"
        known = known | {name}


def _replacement(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    lets = {name for name, _ in rewrite.lets}
    available = (_values(rewrite) - rewrite.made) | lets
    for node in rewrite.replacement:
        for name in node.inputs:
            if name and name not in available:
                yield "with", f"{name!r} is neither an input of the pattern nor made before its use"
        for capture in node.captures.values():
            if capture not in _attributes(rewrite) | lets:
                yield "with", f"@{capture} is bound nowhere in the pattern"
        available = available | set(node.outputs)
    named = (("variadic", rewrite.variadic), ("variadic_outputs", rewrite.variadic_outputs))
    for key, names in (("optional", rewrite.optional), *((key, {name} - {""}) for key, name in named)):
        if not names <= _values(rewrite):
            yield key, f"{_listed(names - _values(rewrite))} is not an input of the pattern"


def _values(rewrite: Rewrite) -> set[str]:
    return {name for node in rewrite.pattern for name in (*node.inputs, *node.outputs) if name}


def _attributes(rewrite: Rewrite) -> set[str]:
    return {capture for node in rewrite.pattern for capture in node.captures.values()}


def _listed(names: AbstractSet[str]) -> str:
    return ", ".join(sorted(names))
