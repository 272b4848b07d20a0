"""What the user asks to change at the interface of a model, checked against the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from onnxfix.errors import OnnxfixError
from onnxfix.model.model import Array, Model
from onnxfix.model.types import ValueType, dtype_name, from_value_info

Sizes = tuple[int | str, ...]

BATCH = "N"
"""The name of a freed batch dimension, where the user gives none."""


@dataclass(frozen=True)
class Request:
    """`freeze`: values of inputs that become constants.  `shapes`: sizes (numbers) and names of inputs' dimensions.

    `dynamic_batch` frees axis 0 of all inputs.  `cut` names a node (or an operator) before which the graph ends.
    `recorded`: values of inputs that a rule may freeze where the target needs a constant; with
    `has_recording` an input without one is an empty sequence or optional.
    """

    freeze: Mapping[str, Array] = field(default_factory=dict)
    shapes: Mapping[str, Sizes] = field(default_factory=dict)
    dynamic_batch: bool = False
    cut: str = ""
    recorded: Mapping[str, Array] = field(default_factory=dict)
    has_recording: bool = False

    def __bool__(self) -> bool:
        return bool(self.freeze or self.shapes or self.dynamic_batch or self.cut)


NO_REQUEST = Request()


def requested(
    model: Model,
    *,
    freeze: Mapping[str, Any] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    dynamic_batch: bool = False,
    cut: str = "",
) -> Request:
    """The request, with values in the types of their inputs.

    Raises OnnxfixError for a name that the model does not have, a value or shape that does not fit its input, and
    shapes that contradict each other.
    """
    graph = model.proto.graph
    kinds = {value.name: from_value_info(value) for value in graph.input}
    values = {name: _value(name, value, _kind(kinds, name, "--freeze")) for name, value in (freeze or {}).items()}
    sizes = {name: _sizes(name, given, _kind(kinds, name, "--shape")) for name, given in (shapes or {}).items()}
    _agree(sizes, kinds)
    both = next((name for name in sizes if name in values), None)
    if both is not None:
        raise OnnxfixError(f"input {both!r} is frozen and given a shape", where="--shape", hint="leave one of them out")
    if cut and not any(cut in (node.name, node.op_type, *node.output) for node in graph.node):
        hint = "give the name of a node of the main graph, or its operator"
        raise OnnxfixError(f"no node or operator is called {cut!r}", where="--cut", hint=hint)
    return Request(values, sizes, dynamic_batch, cut)


def _kind(kinds: Mapping[str, ValueType], name: str, option: str) -> ValueType:
    if name not in kinds:
        raise OnnxfixError(f"no input is called {name!r}", where=option, hint=f"there are: {', '.join(kinds)}")
    if kinds[name].kind != "tensor" or not kinds[name].dtype:
        raise OnnxfixError(f"input {name!r} is no tensor of a known type", where=option)
    return kinds[name]


def _value(name: str, value: Any, kind: ValueType) -> Array:
    """The value in the input's type, and as a list of one where the input is a list and a number is given."""
    wanted = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.dtype))
    given = np.asarray(value)
    try:
        array = given.astype(wanted)
        exact = given.dtype.kind not in "biuf" or wanted.kind not in "biu" or np.array_equal(array, given)
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact:
        raise OnnxfixError(f"the value of {name!r} is not {dtype_name(kind.dtype)}: {value}", where="--freeze")
    if kind.dims is not None and array.ndim == 0 and kind.rank == 1:
        array = array.reshape(1)
    if kind.dims is not None and not _fits(array.shape, kind):
        what = f"the value of {name!r} has the shape {list(array.shape)}, the input {_listed(kind)}"
        raise OnnxfixError(what, where="--freeze")
    return array


def _fits(shape: tuple[int, ...], kind: ValueType) -> bool:
    dims = kind.dims or ()
    same = (not isinstance(dim, int) or dim == size for dim, size in zip(dims, shape, strict=False))
    return len(shape) == len(dims) and all(same)


def _sizes(name: str, given: Sequence[int | str], kind: ValueType) -> Sizes:
    """Free dimensions may be fixed or renamed; a fixed one may change at axis 0 only, where it is a batch."""
    sizes = tuple(given)
    dims = kind.dims if kind.dims is not None else (None,) * len(sizes)
    if len(dims) != len(sizes):
        what = f"input {name!r} has {len(dims)} dimensions, {_listed(kind)}, and {len(sizes)} sizes are given"
        raise OnnxfixError(what, where="--shape")
    for axis, (dim, size) in enumerate(zip(dims, sizes, strict=True)):
        if isinstance(size, int) and size < 0:
            raise OnnxfixError(f"axis {axis} of {name!r} cannot be {size}", where="--shape")
        if isinstance(dim, int) and dim != size and axis:
            what = f"axis {axis} of {name!r} is always {dim} in the model and cannot be {size}"
            raise OnnxfixError(what, where="--shape", hint="only free sizes, and a batch at axis 0, can change")
        if isinstance(dim, int) and isinstance(size, int) and size % max(dim, 1):
            what = f"the batch of {name!r} is {dim}; {size} is no multiple of it"
            raise OnnxfixError(what, where="--shape")
    return sizes


def _agree(shapes: Mapping[str, Sizes], kinds: Mapping[str, ValueType]) -> None:
    """One dimension name of the model gets one size."""
    seen: dict[str, tuple[int | str, str]] = {}
    for name, sizes in shapes.items():
        for dim, size in zip(kinds[name].dims or (), sizes, strict=False):
            if not isinstance(dim, str):
                continue
            other, first = seen.setdefault(dim, (size, name))
            if other != size:
                what = f"dimension {dim!r} would be {other} in {first!r} and {size} in {name!r}"
                raise OnnxfixError(what, where="--shape", hint="a dimension of one name has one size")


def _listed(kind: ValueType) -> str:
    return f"[{', '.join('?' if dim is None else str(dim) for dim in kind.dims or ())}]"
