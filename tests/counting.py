"""How much work something is, in calls of functions: the clock of a busy machine lies."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType


def calls(work: Callable[[], object]) -> int:
    """How many functions were called, Python's and C's, in this process."""
    count = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.collect()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
