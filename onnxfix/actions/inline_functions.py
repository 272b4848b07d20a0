"""Model-local functions put in the place of their calls, where the target refuses a call or a node inside."""

from __future__ import annotations

from collections.abc import Iterator

from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.scope import Scope
from onnxfix.opset.expand import fits
from onnxfix.opset.inline import (
    Functions,
    Key,
    called,
    callers_of,
    functions_of,
    inlined,
    reached,
    recursive,
    size_inlined,
)

MOST_NODES = 1_000_000
"""So many nodes a graph may get: functions that call each other several times grow without end."""


def inline_functions(context: Context) -> Iterator[Proposal]:
    """One Proposal for all functions that a wanted node calls or lies in, their callers, and all that these call.

    Inlined, a node has types and constants, so that other rules can do more for it.  A function that is recursive,
    or written for operator versions that mean something else in the model, is told of and stays.
    """
    functions = functions_of(context.model.proto)
    places = dict(_places(context, functions)) if functions else {}
    wanted = reached(callers_of(places, functions), functions)
    circular = recursive(functions) if wanted else set()
    obstacles = {key: _obstacle(key, key in circular, functions, context.main) for key in sorted(wanted)}
    for key, reason in obstacles.items():
        if reason and key in places:
            yield Proposal(f"the function {key[1]} is not inlined: {reason}", *places[key])
    chosen = [key for key, reason in obstacles.items() if not reason]
    size = size_inlined(context.main.nodes, {key: functions[key] for key in chosen})
    if size > MOST_NODES:
        message = f"the functions are not inlined: the graph would have {size:,} nodes"
        yield Proposal(message, *next(iter(places.values())))
    elif chosen:
        model = inlined(context.model.proto, chosen, context.names)
        if len(model.functions) < len(functions):
            message = f"the bodies of {', '.join(name for _, name, _ in chosen)} replace the calls of these functions"
            place = next(iter(places.values()))
            yield Proposal(message, *place, edits=(Edit((), model=model),), exclusive=True)


def _places(context: Context, functions: Functions) -> Iterator[tuple[Key, tuple[Scope, int]]]:
    """The functions that the wanted nodes call or lie in, each with such a node."""
    keys = list(functions)
    for scope, index in context.every_node():
        if called(scope.nodes[index]) in functions:
            yield called(scope.nodes[index]), (scope, index)
        if scope.id[:1] == ("f",):
            yield keys[int(scope.id[1])], (scope, index)


def _obstacle(key: Key, circular: bool, functions: Functions, main: Scope) -> str:
    if circular:
        return "it calls itself"
    if not fits(functions[key], main.opsets):
        return "it is written for other versions of its operators than the model imports"
    return ""
