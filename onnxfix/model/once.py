"""Facts that are found out once for each scope."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from onnxfix.model.scope import Scope

Fact = TypeVar("Fact")


def once(find: Callable[[Scope], Fact]) -> Callable[[Scope], Fact]:
    """A fact about a scope, found out when it is first asked for and kept: scopes do not change."""

    @wraps(find)
    def known(scope: Scope) -> Fact:
        if find not in scope.facts:
            scope.facts[find] = find(scope)
        fact: Fact = scope.facts[find]
        return fact

    return known
