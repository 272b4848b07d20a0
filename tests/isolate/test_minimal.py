"""The search finds exactly the items that matter, in about log2(n) checks for each."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfix.isolate.minimal import FEW, culprits, thinned


@given(st.integers(1, 3000), st.data())
def test_what_must_be_together_is_found(size: int, data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=6))
    checks = 0

    def fails(chosen: Sequence[int]) -> bool:
        nonlocal checks
        checks += 1
        assert list(chosen) == sorted(chosen)
        return wanted <= set(chosen)

    assert culprits(range(size), fails) == sorted(wanted)
    each = math.ceil(math.log2(size)) + 3
    afar = max(0, len(wanted) - FEW)  # looked for from the last one, so twice as long at most
    assert checks <= (len(wanted) + afar) * each + 1


@pytest.mark.parametrize(
    ("wanted", "checks"),
    [
        (random.Random(0).sample(range(2000), 200), 1400),
        (range(900, 1100), 480),
        ([*range(40, 90), *range(700, 800), *range(1700, 1750)], 520),
        (random.Random(0).sample(range(2000), 1000), 3800),
    ],
    ids=["scattered", "block", "blocks", "half"],
)
def test_many_take_a_few_checks_each(wanted: Sequence[int], checks: int) -> None:
    """About log2 of the distance between two, and one for each that shows that it cannot go."""
    wanted, asked = set(wanted), 0

    def fails(chosen: Sequence[int]) -> bool:
        nonlocal asked
        asked += 1
        return wanted <= set(chosen)

    assert culprits(range(2000), fails) == sorted(wanted)
    assert asked <= checks


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_thinning_a_list_that_is_needed_takes_a_few_checks_for_each_item(size: int) -> None:
    asked = 0

    def fails(chosen: Sequence[int]) -> bool:
        nonlocal asked
        asked += 1
        return len(chosen) == size

    assert list(thinned(range(size), fails)) == list(range(size))
    assert asked <= 3 * size


@pytest.mark.parametrize("size", [1, 2, 13, 64])
def test_all_of_them(size: int) -> None:
    assert culprits(range(size), lambda chosen: len(chosen) == size) == list(range(size))


@given(st.integers(2, 60), st.integers(0, 2**16), st.integers(1, 5))
def test_the_result_always_fails_and_no_item_can_go(size: int, salt: int, kept: int) -> None:
    """Whatever fails: here what holds enough of a random set, which is not one smallest set."""

    def fails(chosen: Sequence[int]) -> bool:
        return sum((item * 7919 + salt) % 3 == 0 for item in chosen) >= min(kept, size // 3)

    if not fails(range(size)):
        return
    for search in (culprits, thinned):
        found = list(search(range(size), fails))
        assert fails(found)
        assert len(found) == 1 or not any(fails(found[:place] + found[place + 1 :]) for place in range(len(found)))


@given(st.integers(2, 40), st.integers(0, 1000))
def test_a_check_that_makes_no_sense_ends(size: int, salt: int) -> None:
    def fails(chosen: Sequence[int]) -> bool:
        return len(chosen) == size or hash((tuple(chosen), salt)) % 3 == 0

    assert set(culprits(range(size), fails)) <= set(range(size))
