"""What flows through the whole model: the values that its parts are fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from onnxfix.errors import OnnxfixError
from onnxfix.model import Model
from onnxfix.verify.ranges import watch


@dataclass
class Flow:
    """A model, what it is fed, and what is `known` of the values inside; `timeout` is in seconds, for one run."""

    whole: Model
    feeds: Mapping[str, Any]
    timeout: float = 300.0
    known: dict[str, Any] = field(default_factory=dict)

    def values(self, names: Sequence[str]) -> dict[str, Any] | None:
        """What the whole model computes for these values; None when some is unknown or holds NaN."""
        stored = {tensor.name for tensor in self.whole.proto.graph.initializer}
        missing = [name for name in names if name not in self.known and name not in self.feeds]
        if missing:
            try:
                self.known |= watch(self.whole, self.feeds, only=missing, want="arrays", timeout=self.timeout).arrays
            except OnnxfixError:
                return None
        every = {**self.feeds, **self.known}
        wanted = [name for name in names if name in every]
        if len(wanted) < len([name for name in names if name not in stored]):
            return None
        found = {name: every[name] for name in wanted}
        return None if any(_has_nan(array) for array in found.values()) else found


def _has_nan(array: Any) -> bool:
    floating = np.issubdtype(getattr(array, "dtype", np.dtype(object)), np.floating)
    return floating and bool(np.isnan(array).any())
