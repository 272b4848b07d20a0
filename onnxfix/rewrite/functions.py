"""The functions that a rule's expressions may call.

A captured value is named as in the pattern; `x` below stands for such a name.  Facts that a model does not tell
(an unknown shape, a value that is not constant) make the whole condition false, with that as the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from onnxfix.model.scope import Scope
from onnxfix.model.types import ValueType, dtype_name
from onnxfix.rewrite.expression import MAX_ITEMS, Unknown, size_of


def functions_for(scope: Scope | None) -> dict[str, Callable[..., Any]]:
    """The functions, bound to one scope; without one only their names are of use, to check a rule."""
    if scope is None:
        return dict.fromkeys((*_VALUE_FUNCTIONS, *_PURE), lambda *_: None)
    facts = _Facts(scope)
    return {**{name: getattr(facts, name) for name in _VALUE_FUNCTIONS}, **_PURE}


class _Facts:
    """What is known of the values of one scope; every `x` is the name of a value, "" for an absent input."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def is_const(self, x: str) -> bool:
        """Whether the value is known before running (an initializer or a Constant node)."""
        return bool(x) and self._scope.constant(x) is not None

    def has(self, x: str) -> bool:
        """Whether an optional input is given."""
        return bool(x)

    def value(self, x: str) -> Any:
        """The numbers of a constant of at most 100,000 elements: a number when it is a scalar, else nested lists."""
        tensor = self._scope.constant(x) if x else None
        if tensor is None:
            raise Unknown(f"{x!r} is not a constant")
        if math.prod(tensor.dims) > MAX_ITEMS:
            raise Unknown(f"{x!r} has more than {MAX_ITEMS} elements")
        return self._scope.model.array(tensor).tolist()

    def ints(self, x: str) -> list[int]:
        """The elements of an integer constant as a flat list."""
        flat = np.asarray(self.value(x)).reshape(-1).tolist()
        if not all(isinstance(item, int) for item in flat):
            raise Unknown(f"{x!r} does not hold integers")
        return [int(item) for item in flat]

    def floats(self, x: str) -> list[float]:
        """The elements of a constant as a flat list of floats."""
        return [float(item) for item in np.asarray(self.value(x)).reshape(-1)]

    def dtype(self, x: str) -> str:
        """`float`, `float16`, `int64` …"""
        kind = self._type(x)
        if not kind.dtype:
            raise Unknown(f"the element type of {x!r} is unknown")
        return dtype_name(kind.dtype)

    def shape(self, x: str) -> list[int | str]:
        """The dimensions: numbers, names of symbolic sizes, and for an unknown one a text that no other size equals."""
        dims = self._type(x).dims
        if dims is None:
            raise Unknown(f"the rank of {x!r} is unknown")
        return [f"?{x}[{axis}]" if dim is None else dim for axis, dim in enumerate(dims)]

    def rank(self, x: str) -> int:
        """The number of dimensions."""
        return len(self.shape(x))

    def rank_known(self, x: str) -> bool:
        """Whether the number of dimensions is known."""
        return self._type(x).dims is not None

    def dim(self, x: str, axis: int) -> int:
        """One dimension, which must be a known number."""
        size = self.shape(x)[axis]
        if not isinstance(size, int):
            raise Unknown(f"dimension {axis} of {x!r} is not a number")
        return size

    def static(self, x: str) -> bool:
        """Whether every dimension is a known number."""
        return self._type(x).static

    def same(self, x: str, y: str) -> bool:
        """Whether two names are one and the same value."""
        return x == y

    def uses(self, x: str) -> int:
        """How many inputs and outputs read the value, in this scope and the subgraphs of its nodes."""
        return len(self._scope.users.get(x, ())) + (x in self._scope.output_set)

    def opset(self) -> int:
        """The version of the default operator set."""
        return self._scope.opset

    def _type(self, x: str) -> ValueType:
        return self._scope.type_of(x) if x else ValueType()


def tensor(items: Any, dtype: str) -> onnx.TensorProto:
    """A stored tensor of a number or nested lists; dtype as in `dtype(x)`.  For `let`."""
    number = onnx.TensorProto.DataType.Value(dtype.upper())
    stored = np.asarray(items, dtype=onnx.helper.tensor_dtype_to_np_dtype(number))
    if stored.dtype.kind in "iu" and not np.array_equal(stored, np.asarray(items)):
        raise Unknown(f"{items} does not fit {dtype}")
    return onnx.numpy_helper.from_array(stored)


def type_number(name: str) -> int:
    """The number of an element type such as "FLOAT" or "int64" in TensorProto.DataType."""
    return int(onnx.TensorProto.DataType.Value(name.upper()))


def type_name(number: int) -> str:
    """`FLOAT`, `INT64` …: the name of an element type in TensorProto.DataType."""
    return onnx.TensorProto.DataType.Name(onnx.TensorProto.DataType.ValueType(number))


def repeat(items: list[Any], count: int) -> list[Any]:
    """The list, `count` times over."""
    if len(items) * count > MAX_ITEMS:
        raise Unknown(f"a list of more than {MAX_ITEMS} items")
    return items * int(count)


def count(stop: int) -> list[int]:
    """[0, 1, … stop - 1]."""
    if stop > MAX_ITEMS:
        raise Unknown(f"a list of more than {MAX_ITEMS} items")
    return list(range(stop))


def prod(numbers: list[Any]) -> Any:
    """The product of a list; 1 when it is empty."""
    result = 1
    for number in numbers:
        result *= number
        size_of(result)
    return result


_VALUE_FUNCTIONS = (
    *("is_const", "has", "value", "ints", "floats", "dtype", "shape", "rank", "rank_known", "dim", "static", "same"),
    *("uses", "opset"),
)
_PURE: dict[str, Callable[..., Any]] = {
    "tensor": tensor,
    "type_name": type_name,
    "type_number": type_number,
    "repeat": repeat,
    "count": count,
    "len": len,
    "sum": lambda numbers: sum(numbers),
    "min": min,
    "max": max,
    "abs": abs,
    "all": all,
    "any": any,
    "int": lambda number: int(number),
    "float": float,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": lambda number: round(number),
    "sorted": sorted,
    "reversed": lambda items: list(reversed(items)),
    "prod": prod,
    "is_int": lambda number: isinstance(number, int),
}
