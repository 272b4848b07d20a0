"""Random 8-bit numbers for the tests of quantized operators."""

from __future__ import annotations

import numpy as np

from onnxfix.model.model import Array

LIMITS = {"uint8": (0, 255), "int8": (-128, 127)}


def drawn(seed: int, kind: str, *shape: int) -> Array:
    """An array of the dtype `kind`, "uint8" or "int8", with all its numbers alike likely."""
    low, high = LIMITS[kind]
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(kind)
