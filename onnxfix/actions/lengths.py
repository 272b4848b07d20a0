"""How many elements a vector must have that an operator reads, by the operator's definition and the shapes around."""

from __future__ import annotations

import onnx

from onnxfix.model.attributes import integer_of, integers_of
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD
from onnxfix.opset.view import schema_at, signature

_ONE = frozenset([("TopK", "K"), ("OneHot", "depth"), ("If", "cond"), ("Loop", "M"), ("Loop", "cond")])
"""Inputs of exactly one element (ONNX operator spec: a scalar or a vector of one)."""

_OUTPUT = frozenset([("Reshape", "shape"), ("ConstantOfShape", "input")])
"""Inputs with one number for each axis of the output."""

_SLICE = ("starts", "ends", "axes", "steps")


def length_of(scope: Scope, node: onnx.NodeProto, position: int) -> int | None:
    """The only length that this input of a node can have; None when the definition and the shapes leave it open.

    Told are the counts, depths and conditions that are one element, and what has a number for each axis of the data
    (Tile, Resize, Upsample), two for each (Pad), one for each axis of the output (Reshape, ConstantOfShape, and
    Expand where the output has more axes than the data), for each filter (Conv, ConvTranspose), as many as its siblings
    (Slice, and scales beside zero points), or as there are outputs (Split).
    """
    schema = schema_at(node.op_type, scope.opset) if node.domain in STANDARD else None
    formals = signature(schema).inputs if schema is not None else ()
    if position >= min(len(formals), len(node.input)):
        return None
    names = {formal.name: name for formal, name in zip(formals, node.input, strict=False)}
    what, data, made = formals[position].name, _rank(scope, node.input[0]), _rank(scope, node.output[0])
    match node.op_type, what:
        case pair if pair in _ONE:
            return 1
        case pair if pair in _OUTPUT:
            return made
        case ("Expand", "shape"):
            return made if made is not None and data is not None and made > data else None
        case ("Tile", "repeats") | ("Upsample", "scales"):
            return data
        case ("Resize", "scales" | "sizes"):
            axes = integers_of(node, "axes")
            return data if axes is None else len(axes)
        case ("Pad", "pads"):
            count = _length(scope, names["axes"]) if names.get("axes") else data
            return None if count is None else 2 * count
        case ("Split", "split"):
            return len(node.output)
        case ("QuantizeLinear", "y_scale") | ("DequantizeLinear", "x_scale"):
            return _length(scope, next((name for formal, name in names.items() if formal.endswith("zero_point")), ""))
        case ("Conv", "B"):
            return _size(scope, names["W"], 0)
        case ("ConvTranspose", "B"):
            filters = _size(scope, names["W"], 1)
            return None if filters is None else filters * integer_of(node, "group", 1)
        case ("Slice", name) if name in _SLICE:
            known = (_length(scope, names.get(other, "")) for other in _SLICE)
            return next((length for length in known if length is not None), None)
    return None


def _rank(scope: Scope, name: str) -> int | None:
    return scope.type_of(name).rank if name else None


def _length(scope: Scope, name: str) -> int | None:
    """The known length of a vector."""
    return _size(scope, name, 0) if _rank(scope, name) == 1 else None


def _size(scope: Scope, name: str, axis: int) -> int | None:
    """The known size of an axis."""
    dims = (scope.type_of(name).dims if name else None) or ()
    size = dims[axis] if axis < len(dims) else None
    return size if isinstance(size, int) else None
