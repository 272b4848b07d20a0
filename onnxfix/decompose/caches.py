"""TensorScatter: rows written into a cache."""

from __future__ import annotations

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.decompose.sizes import size


def tensor_scatter(op: Op) -> None:
    """TensorScatter as ScatterElements: row j of an update goes to row write_indices[batch] + j of the cache.

    In circular mode rows are counted modulo the length of the cache (ONNX operator spec, TensorScatter-24).
    """
    rank = len(op.dims(0))
    axis = int(op.attribute("axis", -2)) % rank
    op.require(axis > 0, "its axis is that of the batch")
    zero, one = (op.const(np.array(number, dtype=np.int64)) for number in (0, 1))
    rows = op.make("Range", zero, forms.squeeze(op, size(op, 1, axis), [0]), one)
    place = forms.reshape(op, rows, [1, -1])
    if op.has(2):
        place = op.make("Add", forms.unsqueeze(op, op.input(2), [1]), place)
    if op.attribute("mode") == "circular":
        place = op.make("Mod", place, size(op, 0, axis))
    others = [other for other in range(1, rank) if other != axis]
    aligned = forms.unsqueeze(op, place, others) if others else place
    indices = op.make("Expand", aligned, op.make("Shape", op.input(1)))
    op.finish(op.make("ScatterElements", op.input(0), indices, op.input(1), axis=axis))
