"""Tensors of more than eight dimensions between two Reshapes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, prove, reason

CODE = "OFX726"


def shuffle(sizes: list[int], perm: list[int], after: list[int], *, batch: bool = False) -> str:
    """Reshape to `sizes`, Transpose, Reshape to `after`; with `batch` the first size is not known."""
    total = math.prod(sizes)
    first = f"N,{total // sizes[0]}" if batch else str(total)
    wanted = ([-1, *sizes[1:]], [-1, *after[1:]]) if batch else (sizes, after)
    lists = [", ".join(map(str, items)) for items in wanted]
    dims = ",".join(["N", *map(str, after[1:])] if batch else map(str, after))
    return f"""g (float[{first}] x) => (float[{dims}] y)
    <int64[{len(sizes)}] s = {{{lists[0]}}}, int64[{len(after)}] t = {{{lists[1]}}}> {{
        a = Reshape (x, s)
        b = Transpose <perm = [{", ".join(map(str, perm))}]> (a)
        y = Reshape (b, t)
    }}"""


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_order_of_any_axes(data: st.DataObject) -> None:
    rank = data.draw(st.integers(9, 12))
    sizes = data.draw(
        st.lists(st.sampled_from([1, 2, 2, 3]), min_size=rank, max_size=rank).filter(lambda s: math.prod(s) < 5000)
    )
    perm = data.draw(st.permutations(range(rank)))
    batch = data.draw(st.booleans())
    if batch:
        perm = [0, *(axis for axis in perm if axis)]
    after = [sizes[0], math.prod(sizes) // sizes[0]]
    text = shuffle(sizes, perm, after, batch=batch)
    shape = (sizes[0], math.prod(sizes) // sizes[0]) if batch else (math.prod(sizes),)
    prove(text, CODE, {"x": np.arange(math.prod(sizes), dtype=np.float32).reshape(shape)})


@pytest.mark.parametrize(
    "text",
    [
        shuffle([2, 2, 2, 2, 2, 4, 4, 4, 1], [0, 1, 5, 2, 6, 3, 7, 4, 8], [2, 2, 8, 8, 8], batch=True),
        shuffle([2] * 12, list(range(12))[::-1], [4096]),
    ],
)
def test_the_target_takes_the_result(text: str) -> None:
    assert builds(prove(text, CODE))


def test_what_is_left_alone() -> None:
    assert reason(shuffle([2, 2, 2], [2, 1, 0], [8]), CODE) == ""
    read_twice = shuffle([2] * 9, list(range(9))[::-1], [512]).replace("b = ", "c = Relu (a) b = ")
    assert "Transpose is not the only one that reads a" in reason(read_twice, CODE)
