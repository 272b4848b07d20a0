"""EmbedLayerNormalization of com.microsoft: the sum of three embeddings, normalized."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.microsoft_norm import FLOAT, normalized
from onnxfix.decompose.op import Op


def embed_layer_norm(op: Op) -> None:
    """Outputs: the normalized sum, the number of ones in each row of the mask (zeros without a mask), the sum.

    Positions are 0, 1, 2 ... when no `position_ids` are given.  Word ids are taken to be in range, as the operator
    demands; ONNX Runtime stops at others.
    """
    dtype = op.dtype(2)
    words = op.make("Gather", op.input(2), op.input(0), axis=0)
    total = op.make("Add", words, _positions(op))
    if op.has(4):
        segments = op.input(1) if op.has(1) else _zeros(op)
        total = op.make("Add", total, op.make("Gather", op.input(4), segments, axis=0))
    wide = total if dtype == FLOAT else forms.cast(op, total, FLOAT)
    _, _, normal = normalized(op, wide, [2], float(op.attribute("epsilon", 1e-12)), centred=True)
    gamma, beta = (op.input(i) if op.dtype(i) == FLOAT else forms.cast(op, op.input(i), FLOAT) for i in (5, 6))
    value = op.make("Add", op.make("Mul", normal, gamma), beta)
    value = value if dtype == FLOAT else forms.cast(op, value, dtype)
    op.finish(value, _counted(op) if op.reads(1) else "", total if op.reads(2) else "")


def _positions(op: Op) -> str:
    """Rows of the position embedding, as (batch or 1, sequence, hidden)."""
    if op.has(8):
        return op.make("Gather", op.input(3), op.input(8), axis=0)
    length = op.dims(0)[1] if len(op.dims(0)) == 2 else None
    if isinstance(length, int):
        return forms.unsqueeze(op, forms.slices(op, op.input(3), [0], [0], [length]), [0])
    op.require(op.opset >= 10, "a sequence length that is not fixed needs Slice of opset 10")
    size = op.make("Gather", op.make("Shape", op.input(0)), op.ints(1), axis=0)
    return forms.unsqueeze(op, op.make("Slice", op.input(3), op.ints(0), size, op.ints(0)), [0])


def _zeros(op: Op) -> str:
    op.require(op.dtype(0) in (6, 7), "the word ids are no int32 or int64")
    return op.make("Mul", op.input(0), op.const(np.array(0), op.dtype(0)))


def _counted(op: Op) -> str:
    """The number of ones in each row of the mask, int32; zeros without a mask."""
    if op.has(7):
        ones = forms.cast(op, op.make("Equal", op.input(7), op.like(7, 1)), onnx.TensorProto.INT32)
        return forms.reduce(op, "ReduceSum", ones, [1], keepdims=False)
    batch = op.make("Gather", op.make("Shape", op.input(0)), op.ints(0), axis=0)
    return op.make("ConstantOfShape", batch, value=onnx.numpy_helper.from_array(np.zeros(1, dtype=np.int32)))
