"""com.microsoft Attention and MultiHeadAttention as MatMul and Softmax (documentation and CPU kernels of ONNX Runtime).

Not written out: buffers that past and present share, rotary embeddings inside Attention, packed batches.
"""

from __future__ import annotations

from onnxfix.decompose import forms
from onnxfix.decompose.microsoft_scores import (
    Heads,
    attend,
    by_heads,
    interval_mask,
    length_mask,
    raw_mask,
    together,
)
from onnxfix.decompose.op import Op
from onnxfix.decompose.products import known_size
from onnxfix.model.types import Dim


def microsoft_attention(op: Op) -> None:
    """com.microsoft Attention: one projection for query, key and value; outputs y and the present state.

    Raises NoRewrite where the sizes of the heads cannot be known.
    """
    op.require(op.opset >= 9, "Where needs opset 9")
    op.require(not op.attribute("do_rotary", 0), "it rotates inside")
    _no_shared_buffer(op, 6)
    sizes, heads = _hidden_sizes(op), int(op.attribute("num_heads"))
    op.require(len(op.dims(0)) == 3, "the input does not have three axes")
    projected = op.make("MatMul", op.input(0), op.input(1))
    if op.has(2):
        projected = op.make("Add", projected, op.input(2))
    query, key, value = (
        by_heads(op, part, heads, size // heads)
        for part, size in zip(forms.split(op, projected, 2, sizes), sizes, strict=True)
    )
    present = ""
    past: Dim = 0
    if op.has(4):
        past = op.dims(4)[3]
        before = [forms.squeeze(op, part, [0]) for part in forms.split(op, op.input(4), 0, [1, 1])]
        key, value = (op.make("Concat", old, new, axis=2) for old, new in zip(before, (key, value), strict=True))
    if op.reads(1):
        present = op.make("Concat", *(forms.unsqueeze(op, part, [0]) for part in (key, value)), axis=0)
    queries = op.dims(0)[1]
    total = queries + past if isinstance(queries, int) and isinstance(past, int) else None
    split = Heads(query, key, value, op.dtype(0), sizes[0] // heads, known_size(queries), total)
    causal = bool(op.attribute("unidirectional", 0))
    result = attend(op, split, _biases(op, 3, 5, split), causal=causal, scale=op.attribute("scale"))
    op.finish(together(op, result, sizes[2]), present)


def multi_head_attention(op: Op) -> None:
    """MultiHeadAttention: outputs y, present key and present value.  Packed inputs have five axes."""
    op.require(op.opset >= 9, "Where needs opset 9")
    _no_shared_buffer(op, 8)
    op.require(not op.has(9), "beams are indirect")
    op.require(not op.reads(3), "the output of the scores is read")
    heads = int(op.attribute("num_heads"))
    query, key, value, head, of_value = _parts(op, heads)
    keys: Dim = _key_length(op)
    if op.has(6):
        past = op.dims(6)[2]
        key = op.make("Concat", op.input(6), key, axis=2)
        value = op.make("Concat", op.input(7), value, axis=2)
        keys = keys + past if isinstance(keys, int) and isinstance(past, int) else None
    split = Heads(query, key, value, op.dtype(0), head, known_size(op.dims(0)[1]), known_size(keys))
    causal = bool(op.attribute("unidirectional", 0))
    result = attend(op, split, _biases(op, 4, 5, split), causal=causal, scale=op.attribute("scale"))
    present = [part if op.reads(place) else "" for place, part in ((1, key), (2, value))]
    op.finish(together(op, result, heads * of_value), *present)


def _parts(op: Op, heads: int) -> tuple[str, str, str, int, int]:
    """Query, key and value by heads, the size of a head of the first two, and that of the last."""
    if len(op.dims(0)) == 5:
        op.require(not op.has(3), "a bias on a packed input is not described")
        head = _size(op, 0, 4)
        query, key, value = (
            op.make("Transpose", forms.squeeze(op, part, [3]), perm=[0, 2, 1, 3])
            for part in forms.split(op, op.input(0), 3, [1, 1, 1])
        )
        return query, key, value, head, head
    hidden = _size(op, 0, 2)
    head = hidden // heads
    if op.has(1) and len(op.dims(1)) == 5:
        op.require(not op.has(3), "a bias on a packed input is not described")
        key, value = (
            op.make("Transpose", forms.squeeze(op, part, [3]), perm=[0, 2, 1, 3])
            for part in forms.split(op, op.input(1), 3, [1, 1])
        )
        return by_heads(op, op.input(0), heads, head), key, value, head, head
    op.require(op.has(1) and op.has(2), "key or value is absent")
    ranks = len(op.dims(1)), len(op.dims(2))
    op.require(ranks in ((3, 3), (4, 4)), "key and value have neither three nor four axes")
    of_value = _size(op, 2, 3) if ranks == (4, 4) else _size(op, 2, 2) // heads
    biases = ["", "", ""]
    if op.has(3):
        op.require(ranks == (3, 3), "a bias on keys that are cut into heads is not described")
        biases = forms.split(op, op.input(3), 0, [hidden, hidden, heads * of_value])
    made = []
    for place, (bias, rank, size) in enumerate(zip(biases, (3, *ranks), (head, head, of_value), strict=True)):
        value = op.make("Add", op.input(place), bias) if bias else op.input(place)
        made.append(by_heads(op, value, heads, size) if rank == 3 else value)
    return made[0], made[1], made[2], head, of_value


def _key_length(op: Op) -> Dim:
    if len(op.dims(0)) == 5:
        return op.dims(0)[1]
    return op.dims(1)[2 if len(op.dims(1)) == 4 else 1]


def _size(op: Op, place: int, axis: int) -> int:
    """The fixed size of an axis of an input."""
    size = op.dims(place)[axis]
    op.require(isinstance(size, int), f"the size of axis {axis} of {op.input(place)} is not fixed")
    assert isinstance(size, int)
    return size


def _hidden_sizes(op: Op) -> list[int]:
    given = [int(size) for size in op.attribute("qkv_hidden_sizes") or ()]
    return given if len(given) == 3 else [_size(op, 1, 1) // 3] * 3


def _no_shared_buffer(op: Op, length: int) -> None:
    shared = bool(op.attribute("past_present_share_buffer", 0)) or op.has(length)
    op.require(not shared, "past and present share one buffer")


def _biases(op: Op, mask: int, bias: int, heads: Heads) -> list[str]:
    """What is added to the scores: the mask's numbers and the bias."""
    filtered = float(op.attribute("mask_filter_value", -10000.0))
    found = []
    if op.has(mask):
        rank = len(op.dims(mask))
        op.require(rank <= 3, "a mask of four axes is not written out")
        if rank == 1:
            found.append(_index_mask(op, mask, filtered, heads))
        else:
            found.append(raw_mask(op, mask, heads.dtype, filtered))
    if op.has(bias):
        found.append(op.input(bias))
    return found


def _index_mask(op: Op, mask: int, filtered: float, heads: Heads) -> str:
    """A mask of one axis: its size, against that of the batch, tells what it holds."""
    size, batch = op.dims(mask)[0], op.dims(0)[0]
    if size is not None and size == batch:
        return length_mask(op, mask, heads.dtype, filtered, heads)
    known = isinstance(size, int) and isinstance(batch, int) and size == 2 * batch
    op.require(known, "the mask has one axis, and its size does not tell what it holds")
    return interval_mask(op, mask, heads.dtype, filtered, heads)
