"""Model-local functions: which of one model is which of the other, and nodes that were put into one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx

from onnxfix.changes.contents import Keys
from onnxfix.changes.graph import Called, Graph, Slot, Source
from onnxfix.changes.nested import Scopes, computed, inner_keys, places
from onnxfix.changes.pairs import Pairs
from onnxfix.changes.prints import content, forward
from onnxfix.changes.records import Change
from onnxfix.changes.regions import Region, exits
from onnxfix.model.model import Model
from onnxfix.model.scope import Scope

Named = Mapping[Called, Scope]


@dataclass(frozen=True)
class Functions:
    """The functions of both models, and the pairs: those of one name, and those of one body."""

    ones: Named
    twos: Named
    pairs: Mapping[Called, Called]

    def numbers(self) -> tuple[dict[Called, int], dict[Called, int]]:
        """Numbers for the paired functions of both models."""
        found = sorted(self.pairs.items())
        return {old: n for n, (old, _) in enumerate(found)}, {new: n for n, (_, new) in enumerate(found)}


def paired_functions(one: Model, two: Model, scopes: tuple[Scopes, Scopes], keys: Keys) -> Functions:
    """Pair the functions, by name or else by what they compute."""
    ones, twos = (_named(model, found) for model, found in zip((one, two), scopes, strict=True))
    pairs = {name: name for name in ones if name in twos}
    gone, come = ([name for name in sorted(mine) if name not in pairs] for mine in (ones, twos))
    if gone and come:
        bodies = body_keys(ones, keys, scopes[0]), body_keys(twos, keys, scopes[1])
        free = {bodies[1][name]: name for name in reversed(come) if name in bodies[1]}
        for name in gone:
            if bodies[0].get(name) in free:
                pairs[name] = free.pop(bodies[0][name])
    return Functions(ones, twos, pairs)


def body_keys(functions: Named, keys: Keys, scopes: Scopes) -> dict[Called, int]:
    """For each function a key of its signature and of what it computes, whatever it and those it calls are named."""
    found: dict[Called, int] = {}
    calls = {name: set(_called(scope)) & functions.keys() for name, scope in functions.items()}
    callers: dict[Called, list[Called]] = {}
    for name, called in calls.items():
        for other in called:
            callers.setdefault(other, []).append(name)
    ready = deque(name for name, called in calls.items() if not called)
    while ready:
        name = ready.popleft()
        scope = functions[name]
        graph = Graph(scope, keys, places(scope), calls=found)
        found[name] = keys.of("function body", len(scope.inputs), _attributes(scope), computed(graph, scopes))
        for caller in callers.get(name, ()):
            calls[caller].discard(name)
            if not calls[caller]:
                ready.append(caller)
    return found


def function_changes(functions: Functions, wrapped: frozenset[Called]) -> Iterator[Change]:
    """Functions that came, went, or changed besides their nodes; `wrapped` are those told of elsewhere."""
    ones, twos, pairs = functions.ones, functions.twos, functions.pairs
    for word, names, known in (("removed", ones, pairs.keys()), ("added", twos, set(pairs.values()))):
        for name in sorted(names.keys() - known - wrapped):
            yield Change("function", title(name), f"function {title(name)} {word}")
    for old, new in sorted(pairs.items()):
        if old != new:
            message = f"function {title(old)} → {title(new)}"
            yield Change("renamed", title(new), message, "", (title(old),), (title(new),))
        yield from _differences(ones[old], twos[new], title(new))


def _differences(one: Scope, two: Scope, name: str) -> Iterator[Change]:
    versions = [{domain or "ai.onnx": str(v) for domain, v in scope.opsets.items()} for scope in (one, two)]
    for domain in sorted(versions[0].keys() | versions[1].keys()):
        old, new = (found.get(domain, "none") for found in versions)
        if old != new:
            message = f"opset of {domain} in function {name}: {old} → {new}"
            yield Change("opset", domain, message, two.label, (old,), (new,))
    for what, texts in _signature(one, two):
        if texts[0] != texts[1]:
            message = f"{what} of function {name}: {texts[0] or 'none'} → {texts[1] or 'none'}"
            kind = "docs" if what == "documentation" else "function"
            yield Change(kind, name, message, two.label, texts[:1], texts[1:])  # type: ignore[arg-type]


def _signature(one: Scope, two: Scope) -> Iterator[tuple[str, tuple[str, str]]]:
    yield "number of inputs", (str(len(one.inputs)), str(len(two.inputs)))
    yield "number of outputs", (str(len(one.outputs)), str(len(two.outputs)))
    yield "attributes", (", ".join(_attributes(one)), ", ".join(_attributes(two)))
    yield "documentation", (one.proto.doc_string, two.proto.doc_string)


def wrapping(one: Graph, two: Graph, pairs: Pairs, region: Region, new: Named, scopes: Scopes) -> Called | None:
    """The function of the second model, one of `new`, that computes what the removed nodes of a region computed."""
    if len(region.new) != 1 or not region.old:
        return None
    return _same(one, two, region.old, region.new[0], pairs, (0, 1), new, scopes)


def unwrapping(one: Graph, two: Graph, pairs: Pairs, region: Region, old: Named, scopes: Scopes) -> Called | None:
    """The function of the first model, one of `old`, whose body came in the place of its call."""
    if len(region.old) != 1 or not region.new:
        return None
    return _same(two, one, region.new, region.old[0], pairs, (1, 0), old, scopes)


def _same(
    plain: Graph,
    caller: Graph,
    nodes: tuple[int, ...],
    call: int,
    pairs: Pairs,
    sides: tuple[int, int],
    functions: Named,
    scopes: Scopes,
) -> Called | None:
    node = caller.scope.nodes[call]
    name = (node.domain, node.op_type, node.overload)
    if name not in functions or any(a.ref_attr_name for n in functions[name].nodes for a in n.attribute):
        return None
    body = Graph(functions[name], caller.keys, {}, _arguments(caller, call, functions[name]), caller.calls)
    made = forward(body, content, inner_keys(body, scopes))
    results = [s.key if s.slot is None else (made[s.slot[0]], s.slot[1]) for _, _, s in body.results]
    prints = _inside(plain, nodes, pairs.left if sides[0] == 0 else pairs.right)
    wanted = {place: results[slot] for place, (_, slot) in exits(caller, [call], pairs, sides[1])}
    given = {place: (prints[index], slot) for place, (index, slot) in exits(plain, nodes, pairs, sides[0])}
    return name if wanted == given else None


def _arguments(caller: Graph, call: int, body: Scope) -> dict[str, Source]:
    """What the inputs of a function are in a call."""
    sources = [*caller.sources[call]] + [caller.source("")] * len(body.inputs)
    found = {}
    for name, source in zip(body.inputs, sources, strict=False):
        key = source.key if source.slot is None else _read(caller, source.slot, source.slot[0])
        found[name] = source if source.kind == "constant" else Source("outer", None, key, key)
    return found


def _read(graph: Graph, slot: Slot, known: int) -> int:
    """A key of a value that is read: by what it holds if that is known before running, else by the node's number."""
    index, place = slot
    still = graph.still.get(index)
    return graph.keys.of("read", known, place) if still is None else graph.keys.of("read still", still, place)


def _inside(graph: Graph, nodes: tuple[int, ...], partner: Mapping[int, int]) -> dict[int, int]:
    """Forward prints of some nodes; what they read of others is told as the other graph knows it."""
    prints: dict[int, int] = {}
    wanted = set(nodes)

    def reads(source: Source) -> object:
        if source.slot is None:
            return source.key
        index, slot = source.slot
        return (prints.get(index, -1), slot) if index in wanted else _read(graph, source.slot, partner.get(index, -1))

    for index in graph.order:
        if index in wanted:
            found = tuple(reads(source) for source in graph.sources[index])
            prints[index] = graph.keys.of("forward", graph.labels[index], 0, found)
    return prints


def title(name: Called) -> str:
    """A function as text: its domain, name and overload."""
    return f"{name[0]}.{name[1]}" + (f" ({name[2]})" if name[2] else "")


def _named(model: Model, scopes: Scopes) -> dict[Called, Scope]:
    return {(f.domain, f.name, f.overload): scopes[("f", place)] for place, f in enumerate(model.proto.functions)}


def _called(scope: Scope) -> Iterator[Called]:
    yield from ((node.domain, node.op_type, node.overload) for node in scope.nodes)
    for inner in scope.inner.values():
        yield from _called(inner)


def _attributes(scope: Scope) -> tuple[str, ...]:
    proto = scope.proto
    if not isinstance(proto, onnx.FunctionProto):
        return ()
    given = (f"{attribute.name} = {onnx.helper.get_attribute_value(attribute)}" for attribute in proto.attribute_proto)
    return (*sorted(proto.attribute), *sorted(given))
