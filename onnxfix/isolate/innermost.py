"""Where a search for NaN begins: in the graph in which it first comes up, be it the body of a loop or a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxfix.isolate.candidates import kept
from onnxfix.isolate.checks import Finite
from onnxfix.isolate.flow import Flow
from onnxfix.model import Model
from onnxfix.model.inference import typed_scopes
from onnxfix.verify.ranges import watch


def innermost(whole: Model, feeds: Mapping[str, Any] | None, timeout: float) -> tuple[Finite, Model]:
    """The check and the model to search in, fed what flowed there when a value first was not finite.

    That is the whole model when the value belongs to its main graph, and when the graph inside a node is well on its
    own.  `feeds` are inputs of the whole, by default seeded ones.  Raises as `watch` does.
    """
    found = watch(whole, feeds, want="inside", timeout=timeout)
    if found.inside is not None and found.first is not None:
        body, fed = found.inside
        scope = typed_scopes(body)[0][0]
        proto = kept(scope, range(len(scope.nodes)))
        if proto is not None and watch(body.with_proto(proto), fed, timeout=timeout).first is not None:
            start = body.with_proto(proto)
            return Finite(Flow(start, fed, timeout), timeout, found.first.scope), start
    return Finite(Flow(whole, found.feeds, timeout), timeout), whole
