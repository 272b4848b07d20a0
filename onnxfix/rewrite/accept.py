"""Whether a pattern that fits may be replaced: nothing else needs what goes, and the rule's condition holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx

from onnxfix.model.order import misplaced_in
from onnxfix.model.scope import Scope
from onnxfix.rewrite.attributes import attribute_value, made_attribute
from onnxfix.rewrite.expression import Expression, Unknown
from onnxfix.rewrite.functions import functions_for
from onnxfix.rewrite.rule import Match, Rewrite


def accepted(scope: Scope, rewrite: Rewrite, found: Match) -> Match | str:
    """The match with its computed values, or the reason why it cannot be replaced."""
    refusal = _leak(scope, rewrite, found) or _loop(scope, rewrite, found)
    if refusal:
        return refusal
    try:
        return _evaluated(scope, rewrite, found)
    except Unknown as unknown:
        return str(unknown)


def _leak(scope: Scope, rewrite: Rewrite, found: Match) -> str:
    """Why an interior value of the match cannot be removed, or ""."""
    inside = set(found.nodes.values())
    for name in sorted(rewrite.made - set(rewrite.results)):
        value = found.values[name]
        if value in scope.output_set:
            return f"{value!r}, inside the match, is an output of the graph"
        if any(user not in inside or slot < 0 for user, slot in scope.users.get(value, ())):
            return f"{value!r}, inside the match, is also used elsewhere"
    return ""


def _loop(scope: Scope, rewrite: Rewrite, found: Match) -> str:
    """Why one of several results cannot be made from all inputs at once, or "".

    In a graph whose nodes are in order nothing before the first node of the match is computed from its results.
    """
    if len(found.nodes) < 2 or len(rewrite.results) < 2:
        return ""
    inside = set(found.nodes.values())
    first = 0 if misplaced_in(scope) else min(inside)
    own = {value for index in inside for value in scope.nodes[index].output}
    todo = [value for index in inside for value in scope.nodes[index].input if value not in own]
    seen = set(todo)
    while todo:
        index, _ = scope.producer.get(todo.pop(), (-1, -1))
        if index in inside:
            return "an input of the match is computed from its own result"
        new = set(scope.nodes[index].input) - seen if index >= first else set()
        seen |= new
        todo += new
    return ""


def _evaluated(scope: Scope, rewrite: Rewrite, found: Match) -> Match | str:
    values = {name: found.values.get(name, "") for name in (*rewrite.optional, *found.values)}
    names: dict[str, Any] = {**values, **{n: attribute_value(a) for n, a in found.attributes.items()}}
    if rewrite.variadic:
        names[rewrite.variadic] = list(found.rest)
    if rewrite.variadic_outputs:
        names[rewrite.variadic_outputs] = list(found.rest_outputs)
    functions = functions_for(scope)
    if rewrite.where is not None:
        _refuse_references(rewrite.where, found.attributes)
        if not rewrite.where.evaluate(functions, names):
            return f"the condition does not hold: {rewrite.where.source}"
    lets: dict[str, Any] = {}
    for name, expression in rewrite.lets:
        _refuse_references(expression, found.attributes)
        lets[name] = expression.evaluate(functions, {**names, **lets})
    _refuse_misfits(rewrite, lets)
    return found._replace(values=values, lets=lets)


def _refuse_references(expression: Expression, attributes: Mapping[str, onnx.AttributeProto | None]) -> None:
    for name in sorted(expression.names & set(attributes)):
        attribute = attributes[name]
        if attribute is not None and attribute.ref_attr_name:
            raise Unknown(f"@{name} is the attribute {attribute.ref_attr_name} of whoever calls this function")


def _refuse_misfits(rewrite: Rewrite, lets: Mapping[str, Any]) -> None:
    """Raise Unknown where a computed value is no attribute of the type that the replacement gives it."""
    for node in rewrite.replacement:
        for attribute in node.proto.attribute:
            if attribute.ref_attr_name in lets:
                made_attribute(attribute, lets[attribute.ref_attr_name])
