"""If, Loop, Scan and SequenceMap played one step at a time: what each step feeds to the graph inside, as ONNX says.

A step is (the attribute that holds the graph, what its own inputs are).  Whoever runs the graph sends back the values
of its outputs, in their order.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

Step = tuple[str, Sequence[Any]]
Steps = Generator[Step, Sequence[Any], None]


class CannotStep(Exception):
    """The node is none that is played here."""


def steps(node: onnx.NodeProto, version: int, values: Mapping[str, Any]) -> Steps:
    """The steps of a node whose inputs are `values`, in the given version of the operator.  Raises CannotStep."""
    given = [values[name] if name else None for name in node.input]
    attributes = {attribute.name: attribute for attribute in node.attribute}
    match node.op_type if not node.domain else "":
        case "If":
            return _branch(given[0])
        case "Loop":
            return _loop(given, attributes["body"].g)
        case "Scan":
            return _scan(given, attributes) if version >= 9 else _scan_of_batches(given, attributes)
        case "SequenceMap":
            return _map(given)
    raise CannotStep(f"how {node.op_type} runs its graphs is not known")


def _branch(condition: Any) -> Steps:
    yield ("then_branch" if bool(np.asarray(condition).reshape(-1)[0]) else "else_branch"), ()


def _loop(given: Sequence[Any], body: onnx.GraphProto) -> Steps:
    most = None if given[0] is None else int(np.asarray(given[0]).reshape(-1)[0])
    going = given[1] is None or bool(np.asarray(given[1]).reshape(-1)[0])
    state, step = list(given[2:]), 0
    while going and (most is None or step < most):
        number, more = _counter(body.input[0], step, np.int64), _counter(body.input[1], going, np.bool_)
        after = yield "body", (number, more, *state)
        going, state = bool(np.asarray(after[0]).reshape(-1)[0]), list(after[1 : 1 + len(state)])
        step += 1


def _counter(declared: onnx.ValueInfoProto, value: int, dtype: Any) -> Any:
    """The iteration number or the condition: a scalar, or one element where the graph declares that."""
    dims = declared.type.tensor_type.shape.dim
    return np.full((1,) * len(dims), value, dtype)


def _scan(given: Sequence[Any], attributes: Mapping[str, onnx.AttributeProto]) -> Steps:
    count = attributes["num_scan_inputs"].i
    states, lists = list(given[: len(given) - count]), given[len(given) - count :]
    axes = _ints(attributes, "scan_input_axes", count)
    backwards = _ints(attributes, "scan_input_directions", count)
    length = lists[0].shape[axes[0]] if count else 0
    for step in range(length):
        places = [length - 1 - step if back else step for back in backwards]
        slices = [np.asarray(np.take(array, at, axis)) for array, at, axis in zip(lists, places, axes, strict=True)]
        after = yield "body", (*states, *slices)
        states = list(after[: len(states)])


def _scan_of_batches(given: Sequence[Any], attributes: Mapping[str, onnx.AttributeProto]) -> Steps:
    """Scan of opset 8: its inputs begin with the lengths, and have a batch as their first axis."""
    count = attributes["num_scan_inputs"].i
    first, lists = list(given[1 : len(given) - count]), given[len(given) - count :]
    backwards = _ints(attributes, "directions", count)
    for batch in range(lists[0].shape[0] if count else 0):
        states = [np.asarray(state[batch]) for state in first]
        length = lists[0].shape[1] if given[0] is None else int(given[0][batch])
        for step in range(length):
            places = [length - 1 - step if back else step for back in backwards]
            slices = [np.asarray(array[batch, at]) for array, at in zip(lists, places, strict=True)]
            after = yield "body", (*states, *slices)
            states = list(after[: len(states)])


def _map(given: Sequence[Any]) -> Steps:
    """Each element of the first sequence, with those of other sequences, and tensors as they are."""
    for step in range(len(given[0])):
        yield "body", [value[step] if isinstance(value, list) else value for value in given]


def _ints(attributes: Mapping[str, onnx.AttributeProto], name: str, count: int) -> list[int]:
    return list(attributes[name].ints) if name in attributes else [0] * count
