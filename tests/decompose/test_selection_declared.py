"""Masks that always select as many elements as the model declares: on request only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, prove, reason, unsafe

CODE = "OFX728"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 2**32 - 1), st.booleans())
def test_non_zero_of_masks_that_hold_the_declared_number(shape: list[int], seed: int, known: bool) -> None:
    random = np.random.default_rng(seed)
    mask = random.random(shape) < 0.5
    mask.flat[-1] = True
    dims = ",".join(str(size) if known else f"D{axis}" for axis, size in enumerate(shape))
    text = f"g (bool[{dims}] m) => (int64[{len(shape)},{mask.sum()}] y) {{ y = NonZero (m) }}"
    shuffled = random.permutation(mask.reshape(-1)).reshape(shape)
    prove(text, CODE, {"m": mask}, {"m": shuffled})


@pytest.mark.parametrize(("form", "dims"), [("", "2"), ("<axis = 0>", "2,3"), ("<axis = -1>", "4,2")])
def test_compress(form: str, dims: str) -> None:
    length = {"": 12, "<axis = 0>": 4, "<axis = -1>": 3}[form]
    text = f"g (float[4,3] x, bool[{length}] c) => (float[{dims}] y) {{ y = Compress {form} (x, c) }}"
    condition = np.zeros(length, bool)
    condition[[0, length - 1]] = True
    feed: dict[str, Any] = {"x": np.arange(12, dtype=np.float32).reshape(4, 3), "c": condition}
    result = prove(text, CODE, feed)
    assert builds(result) and not builds(text)
    prove(text, CODE)  # made-up masks hold the declared number too


def test_the_user_must_ask_and_a_number_must_be_declared() -> None:
    assert unsafe("g (bool[2,4] m) => (int64[2,3] y) { y = NonZero (m) }", CODE)
    assert reason("g (bool[2,4] m) => (int64[2,M] y) { y = NonZero (m) }", CODE) == ""
