"""How often a Loop runs, where that is known before running: from constants and the counter alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.model.attributes import constant_tensor
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD

Known = dict[str, Array]

_SMALL = 64
"""Values of more elements do not count anything."""

_CHEAP: Mapping[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Equal": np.equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Not": np.logical_not,
    "Identity": np.asarray,
}


def always_true(scope: Scope, body: onnx.GraphProto) -> bool:
    """Whether the condition that a loop's body gives is the one it got, or a constant true."""
    made = {name: node for node in body.node for name in node.output}
    stored = {tensor.name: tensor for tensor in body.initializer}
    name = body.output[0].name
    while name in made and made[name].op_type in ("Identity", "Cast") and made[name].domain in STANDARD:
        name = made[name].input[0]
    if name == body.input[1].name:
        return True
    if name in made:
        tensor = constant_tensor(made[name]) if made[name].op_type == "Constant" else None
        return tensor is not None and bool(onnx.numpy_helper.to_array(tensor).all())
    array = onnx.numpy_helper.to_array(stored[name]) if name in stored else scope.array(name)
    return array is not None and bool(array.all())


def iterations(op: Op, body: onnx.GraphProto, most: int) -> int:
    """How often the body runs.  Raises NoRewrite when that depends on data, or is more than `most`."""
    bound = op.constant(0)
    if op.has(0) and bound is None:
        raise NoRewrite("the number of iterations is not a constant")
    first = op.constant(1)
    if op.has(1) and first is None:
        raise NoRewrite("whether the loop starts is not a constant")
    last = None if bound is None else max(int(bound.reshape(-1)[0]), 0)
    if first is not None and not first.all():
        return 0
    if always_true(op.scope, body):
        if last is None:
            raise NoRewrite("it never ends")
        return _few(last, most)
    return _counted(op, body, last, most)


def _few(count: int, most: int) -> int:
    if count > most:
        raise NoRewrite(f"{count} iterations are too many to write out")
    return count


def _counted(op: Op, body: onnx.GraphProto, last: int | None, most: int) -> int:
    """Follow the condition from iteration to iteration, with the values that are known."""
    carried: list[Array | None] = [op.constant(place) for place in range(2, len(op.node.input))]
    for number in range(most + 1):
        if last is not None and number >= last:
            return number
        given = [np.array(number), np.array(True), *carried]
        known = {v.name: array for v, array in zip(body.input, given, strict=True) if array is not None}
        _compute(op.scope, body, known)
        going = known.get(body.output[0].name)
        if going is None:
            raise NoRewrite("whether the loop goes on is computed from data")
        if not going.all():
            return number + 1
        carried = [known.get(value.name) for value in body.output[1 : 1 + len(carried)]]
    raise NoRewrite(f"more than {most} iterations are too many to write out")


def _compute(scope: Scope, body: onnx.GraphProto, known: Known) -> None:
    """Add what follows from the known values by cheap operators."""
    known |= {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in body.initializer if _is_small(tensor)}
    for node in body.node:
        if node.domain not in STANDARD:
            continue
        if node.op_type == "Constant" and (tensor := constant_tensor(node)) is not None and _is_small(tensor):
            known[node.output[0]] = onnx.numpy_helper.to_array(tensor)
        arrays = [known.get(name) if name in known else scope.array(name) for name in node.input]
        if node.op_type not in _CHEAP or any(array is None or array.size > _SMALL for array in arrays):
            continue
        known[node.output[0]] = np.asarray(_CHEAP[node.op_type](*arrays))


def _is_small(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location != onnx.TensorProto.EXTERNAL and int(np.prod(tensor.dims)) <= _SMALL
