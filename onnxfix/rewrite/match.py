"""Finding a pattern in a scope.

A match starts at a node that fits the pattern's last node and grows along producers, then along users, with
backtracking where a commutative operator's inputs may be swapped.  A refusal says why.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnxfix.model.scope import Scope
from onnxfix.rewrite.accept import accepted
from onnxfix.rewrite.attributes import equal_constant, same_attribute, schema_defaults
from onnxfix.rewrite.rule import COMMUTATIVE, Match, Mismatch, PatternNode, Rewrite

MAX_TRIES = 2_000
"""Nodes tried for one root, so that a pattern with many ways to fit cannot run for ever."""


def match(scope: Scope, rewrite: Rewrite, index: int) -> Match | Mismatch:
    """The match whose root is node `index`, or the reason of the attempt that came furthest."""
    search = _Search(scope, rewrite)
    for found in search.grown(search.node(len(rewrite.pattern) - 1, index, _EMPTY)):
        complete = accepted(scope, rewrite, found)
        if isinstance(complete, Match):
            return complete
        search.refuse(complete, len(found.nodes))
    return search.best


def may_match(scope: Scope, rewrite: Rewrite, index: int) -> bool:
    """Whether the inputs of a node come from the operators that a root needs: a quick no for most nodes."""
    wanted = rewrite.root_makers
    if not wanted:
        return True
    given = [_maker(scope, name) for name in scope.reads[index]]
    orders = [given, given[::-1]] if rewrite.root.op_type in COMMUTATIVE and len(given) == 2 else [given]
    return any(all(place < len(order) and order[place] == maker for place, maker in wanted) for order in orders)


def _maker(scope: Scope, name: str) -> tuple[str, str] | None:
    place = scope.producer.get(name)
    return None if place is None else (scope.nodes[place[0]].op_type, _domain(scope.nodes[place[0]]))


_EMPTY = Match({}, {}, {})


class _Search:
    """One attempt at one root; remembers the refusal that came furthest."""

    def __init__(self, scope: Scope, rewrite: Rewrite) -> None:
        self.scope, self.rewrite = scope, rewrite
        self.best = Mismatch("")
        self.tries = 0
        self.maker = rewrite.maker

    def refuse(self, reason: str, matched: int) -> None:
        if not self.best.reason or matched > self.best.matched:
            self.best = Mismatch(reason, matched)

    def grown(self, states: Iterator[Match]) -> Iterator[Match]:
        """Complete each state: pattern nodes out of the root's reach are sought among the users of bound values."""
        for state in states:
            missing = [p for p in range(len(self.rewrite.pattern)) if p not in state.nodes and self._is_node(p)]
            anchors = [(p, users) for p in missing for users in self._users_of_inputs(p, state)]
            if not anchors:
                yield from [state] if not missing else []
                continue
            position, users = min(anchors, key=lambda anchor: len(anchor[1]))
            for index in sorted({user for user, slot in users if slot >= 0} - set(state.nodes.values())):
                yield from self.grown(self.node(position, index, state))

    def node(self, position: int, index: int, state: Match) -> Iterator[Match]:
        """The states in which pattern node `position` is node `index`."""
        pattern, node = self.rewrite.pattern[position], self.scope.nodes[index]
        self.tries += 1
        if self.tries > MAX_TRIES:
            self.best = Mismatch(f"more than {MAX_TRIES} nodes tried")
            return
        if (node.op_type, _domain(node)) != (pattern.op_type, pattern.domain):
            self.refuse(f"{node.op_type} stands where the pattern has {pattern.op_type}", len(state.nodes))
            return
        if position in state.nodes or index in state.nodes.values():
            return
        attributes = self._attributes(pattern, node, state)
        if attributes is None:
            return
        state = state._replace(nodes={**state.nodes, position: index}, attributes=attributes)
        outputs = self._outputs(pattern, node, state)
        if outputs is None:
            return
        for inputs, rest in self._orders(pattern, node, state):
            yield from self._bind(list(zip(pattern.inputs, inputs, strict=False)), outputs._replace(rest=rest))

    def _bind(self, pairs: list[tuple[str, str]], state: Match) -> Iterator[Match]:
        if not pairs:
            yield state
            return
        (name, value), *others = pairs
        for bound in self._bind_one(name, value, state):
            yield from self._bind(others, bound)

    def _bind_one(self, name: str, value: str, state: Match) -> Iterator[Match]:
        if name == "" or value == "":
            if name == "" and value == "":
                yield state
            elif name in self.rewrite.optional and state.values.get(name, "") == "":
                yield state._replace(values={**state.values, name: ""})
            else:
                self.refuse("an optional input is given where the pattern has none, or the reverse", len(state.nodes))
            return
        if name in state.values:
            if state.values[name] == value:
                yield state
            else:
                self.refuse(f"{name} would be two different values", len(state.nodes))
            return
        state = state._replace(values={**state.values, name: value})
        if name not in self.maker:
            yield state
            return
        position, slot = self.maker[name]
        pattern = self.rewrite.pattern[position]
        if pattern.is_constant:
            if equal_constant(self.scope, pattern, value):
                yield state
            else:
                self.refuse(f"{value!r} is not the constant of the pattern", len(state.nodes))
            return
        index, made_slot = self.scope.producer.get(value, (-1, -1))
        if index < 0 or made_slot != slot:
            self.refuse(f"{value!r} is not made by {pattern.op_type}", len(state.nodes))
            return
        yield from self.node(position, index, state)

    def _outputs(self, pattern: PatternNode, node: onnx.NodeProto, state: Match) -> Match | None:
        values, names, outputs = dict(state.values), list(pattern.outputs), list(node.output)
        if names and names[-1] == self.rewrite.variadic_outputs:
            rest = outputs[len(names) - 1 :]
            values[names.pop()] = next(iter(rest), "")
            state, outputs = state._replace(rest_outputs=tuple(rest)), outputs[: len(names)]
        for slot, value in enumerate(outputs):
            name = names[slot] if slot < len(names) else ""
            if name:
                if values.setdefault(name, value) != value:
                    self.refuse(f"{name} would be two different values", len(state.nodes))
                    return None
            elif value and (value in self.scope.users or value in self.scope.output_set):
                self.refuse(f"{node.op_type} has another output, {value!r}, in use", len(state.nodes))
                return None
        return state._replace(values=values)

    def _orders(
        self, pattern: PatternNode, node: onnx.NodeProto, state: Match
    ) -> Iterator[tuple[list[str], tuple[str, ...]]]:
        wanted, given = len(pattern.inputs), list(node.input)
        if pattern.inputs and pattern.inputs[-1] == self.rewrite.variadic:
            if len(given) >= wanted - 1:
                yield [*given[: wanted - 1]], tuple(given[wanted - 1 :])
            return
        while len(given) > wanted and given[-1] == "":
            given.pop()
        if len(given) > wanted:
            self.refuse(f"{node.op_type} has {len(given)} inputs, the pattern {wanted}", len(state.nodes))
            return
        given += [""] * (wanted - len(given))
        yield given, state.rest
        if pattern.op_type in COMMUTATIVE and not pattern.domain and wanted == 2 and not node.attribute:
            yield given[::-1], state.rest

    def _attributes(
        self, pattern: PatternNode, node: onnx.NodeProto, state: Match
    ) -> dict[str, onnx.AttributeProto | None] | None:
        given = {attribute.name: attribute for attribute in node.attribute}
        defaults = schema_defaults(pattern.op_type, pattern.domain, self.scope.opsets.get(pattern.domain, 1))
        for name, wanted in pattern.literals.items():
            if not same_attribute(given.get(name, defaults.get(name)), wanted):
                self.refuse(f"attribute {name} of {node.op_type} differs", len(state.nodes))
                return None
        bound = dict(state.attributes)
        for name, capture in pattern.captures.items():
            value = given.get(name, defaults.get(name))
            if capture in bound and not same_attribute(bound[capture], value):
                self.refuse(f"@{capture} would be two different values", len(state.nodes))
                return None
            bound[capture] = value
        for name, attribute in given.items():
            named = name in pattern.literals or name in pattern.captures or name in self.rewrite.ignore
            if not named and not same_attribute(attribute, defaults.get(name)):
                self.refuse(f"{node.op_type} has the attribute {name}, which the rule does not know", len(state.nodes))
                return None
        return bound

    def _is_node(self, position: int) -> bool:
        return not self.rewrite.pattern[position].is_constant

    def _users_of_inputs(self, position: int, state: Match) -> list[list[tuple[int, int]]]:
        bound = (state.values.get(name) for name in self.rewrite.pattern[position].inputs)
        return [self.scope.users.get(value, []) for value in bound if value]


def _domain(node: onnx.NodeProto) -> str:
    return "" if node.domain == "ai.onnx" else node.domain
