"""Is a rewrite sound in itself: one connected pattern, every value made again, every name bound?"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

import onnx

from onnxfix.rewrite.rule import PatternNode, Rewrite


def mistakes(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    """(key of the rule file, cause) of each mistake."""
    yield from _nodes("match", rewrite.pattern)
    yield from _nodes("with", rewrite.replacement)
    yield from _structure(rewrite)
    yield from _names(rewrite)
    yield from _expressions(rewrite)
    yield from _replacement(rewrite)


def _nodes(key: str, nodes: Iterable[PatternNode]) -> Iterator[tuple[str, str]]:
    made = Counter(name for node in nodes for name in node.outputs if name)
    for name, count in made.items():
        if count > 1:
            yield key, f"makes {name!r} twice"
    for node in nodes:
        for attribute in node.proto.attribute:
            if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                yield key, f"{attribute.name} of {node.op_type} is a graph, which a rewrite cannot hold"
        if key == "match" and node.is_constant and set(node.literals) != {"value"}:
            yield key, "a Constant in a pattern must be written as Constant <value = float {2.0}> ()"


def _structure(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    read = _inputs(rewrite)
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


def _names(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    lets = {name for name, _ in rewrite.lets}
    for name in sorted(_values(rewrite) & set(_attributes(rewrite))):
        yield "match", f"{name!r} names both a value and an attribute"
    for name in sorted(lets & (_values(rewrite) | set(_attributes(rewrite)))):
        yield f"let.{name}", "has the name of something in the pattern"
    outside = _inputs(rewrite) - rewrite.made
    if not rewrite.optional <= outside:
        yield "optional", f"{_listed(rewrite.optional - outside)} is not an input of the pattern"
    lists = {"variadic": [node.inputs for node in rewrite.pattern]}
    lists["variadic_outputs"] = [node.outputs for node in rewrite.pattern]
    for key, name in (("variadic", rewrite.variadic), ("variadic_outputs", rewrite.variadic_outputs)):
        places = [names for names in lists[key] if name and name in names]
        if name and (len(places) != 1 or places[0].index(name) != len(places[0]) - 1):
            yield key, f"{name} is not the last name of exactly one node of the pattern"
    if rewrite.variadic in rewrite.made:
        yield "variadic", f"{rewrite.variadic} is not an input of the pattern"


def _expressions(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    known = _values(rewrite) | set(_attributes(rewrite))
    if rewrite.where is not None and not rewrite.where.names <= known:
        yield "where", f"{_listed(rewrite.where.names - known)} is bound nowhere in the pattern"
    for name, expression in rewrite.lets:
        if not expression.names <= known:
            yield f"let.{name}", f"{_listed(expression.names - known)} is bound nowhere before it"
        known = known | {name}


def _replacement(rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    lets = {name: expression.tree for name, expression in rewrite.lets}
    captures = _attributes(rewrite)
    outside = _values(rewrite) - rewrite.made
    available = outside | set(lets)
    for node in rewrite.replacement:
        for name in node.inputs:
            if name and name not in available:
                yield "with", f"{name!r} is neither an input of the pattern nor made before its use"
            elif name in lets and not _makes_tensor(lets[name]):
                yield f"let.{name}", "is read as a value, so it must be a tensor(items, dtype)"
        for name in sorted(set(node.outputs) & (outside | set(lets))):
            yield "with", f"makes {name!r}, which is there already"
        for attribute in node.proto.attribute:
            capture = attribute.ref_attr_name
            if capture and capture not in captures and capture not in lets:
                yield "with", f"@{capture} is bound nowhere in the pattern"
            elif capture and captures.get(capture, attribute.type) != attribute.type:
                yield "with", f"@{capture} has another type than in the pattern"
        available = available | set(node.outputs)


def _makes_tensor(tree: ast.expr) -> bool:
    if isinstance(tree, ast.IfExp):
        return _makes_tensor(tree.body) and _makes_tensor(tree.orelse)
    return isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "tensor"


def _inputs(rewrite: Rewrite) -> set[str]:
    return {name for node in rewrite.pattern for name in node.inputs if name}


def _values(rewrite: Rewrite) -> set[str]:
    return _inputs(rewrite) | {name for node in rewrite.pattern for name in node.outputs if name}


def _attributes(rewrite: Rewrite) -> dict[str, int]:
    """The types of the captured attributes by the name after `@`."""
    return {a.ref_attr_name: a.type for node in rewrite.pattern for a in node.proto.attribute if a.ref_attr_name}


def _listed(names: AbstractSet[str]) -> str:
    return ", ".join(sorted(names))
