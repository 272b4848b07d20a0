"""One allocator of new names, so that nothing onnxfix adds can collide with anything in the model."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from onnxfix.model.scope import Scope


class Names:
    """Every name of a model in use, in all scopes, nodes and values alike."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        for scope in scopes:
            self._taken.update(scope.inputs, scope.initializers, scope.outputs)
            if isinstance(scope.proto, onnx.GraphProto):
                self._taken.update(tensor.values.name for tensor in scope.proto.sparse_initializer)
            for node in scope.nodes:
                self._taken.update(node.input, node.output)
                self._taken.add(node.name)

    def fresh(self, wish: str) -> str:
        """`wish`, or `wish_1`, `wish_2` …: a name that nothing has, and that nothing gets again."""
        name, count = wish, self._counts.get(wish, 0)
        while name in self._taken or not name:
            count += 1
            name = f"{wish or 'value'}_{count}"
        self._counts[wish] = count
        self._taken.add(name)
        return name
