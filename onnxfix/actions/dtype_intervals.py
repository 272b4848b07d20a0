"""Intervals of integers, and those of the integer types."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

Range = tuple[int, int]
"""The smallest and the largest number, both included."""

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)

_T = onnx.TensorProto
OF_TYPE: dict[int, Range] = {
    _T.BOOL: (0, 1),
    _T.INT8: (-(2**7), 2**7 - 1),
    _T.UINT8: (0, 2**8 - 1),
    _T.INT16: (-(2**15), 2**15 - 1),
    _T.UINT16: (0, 2**16 - 1),
    _T.INT32: INT32,
    _T.UINT32: (0, 2**32 - 1),
    _T.INT64: INT64,
    _T.UINT64: (0, 2**64 - 1),
}


def inside(inner: Range | None, outer: Range) -> bool:
    """Whether a known range lies in another one."""
    return inner is not None and outer[0] <= inner[0] and inner[1] <= outer[1]


def array_range(array: np.ndarray[Any, Any]) -> Range:
    """The range of an array of integers; (0, 0) when it is empty."""
    return (int(array.min()), int(array.max())) if array.size else (0, 0)


def union(ranges: list[Range | None]) -> Range | None:
    """The smallest range that holds all; None when one is unknown."""
    known = [found for found in ranges if found is not None]
    if not known or len(known) < len(ranges):
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def least(found: list[Range | None]) -> Range | None:
    """The range of the smallest of some numbers; None when one is unknown."""
    known = [item for item in found if item is not None]
    return (min(low for low, _ in known), min(high for _, high in known)) if len(known) == len(found) else None


def greatest(found: list[Range | None]) -> Range | None:
    """The range of the largest of some numbers; None when one is unknown."""
    known = [item for item in found if item is not None]
    return (max(low for low, _ in known), max(high for _, high in known)) if len(known) == len(found) else None
