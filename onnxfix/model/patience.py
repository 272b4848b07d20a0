"""How long a child process may work on a model before it is stopped."""

from __future__ import annotations

from onnxfix.model.model import Model
from onnxfix.model.nested import nodes_in

_NODES = 20_000
_MOST = 3600.0


def patience(model: Model, seconds: float) -> float:
    """`seconds`, and as long again for every 20,000 nodes of the model, an hour at most.

    The checker, ONNX Runtime and TensorRT take more time for more nodes; TensorRT-RTX 1.7.1 takes 1.2 s of one core for
    an engine of 1,000 elementwise nodes and 10 s for 3,000.
    """
    nodes = nodes_in(model.proto.graph) + sum(nodes_in(function) for function in model.proto.functions)
    return max(seconds, min(seconds * (1 + nodes // _NODES), _MOST))


def at_most(model: Model, seconds: float) -> str:
    """`, at most 15 min`, for a model of so many nodes that it gets twice the time or more; else ""."""
    limit = patience(model, seconds)
    return f", at most {limit / 60:.0f} min" if limit >= 2 * seconds else ""
