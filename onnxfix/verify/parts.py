"""Two models that count as one, and one model run part by part: how interface changes are compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from onnxfix.model import load
from onnxfix.model.model import Array
from onnxfix.verify.oracle import Oracle
from onnxfix.verify.runtime import CannotRun
from onnxfix.verify.sizes import Sizes

TWICE = "the recorded batch"
"""The name under which a run reports that recorded inputs are fed twice over, along the batch."""


class Pipeline:
    """A model that was cut, followed by the model of the rest."""

    def __init__(self, head: Path, rest: Path, outputs: Sequence[str], ways: Sequence[str]) -> None:
        self._outputs = tuple(outputs)
        self._head = Oracle(head, _outputs(head), ways)
        self._rest = Oracle(rest, _outputs(rest), ways)

    @property
    def title(self) -> str:
        """What computes the values."""
        return " and ".join(dict.fromkeys((self._head.title, self._rest.title)))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        """The outputs of both by name.  Raises CannotRun and CannotLoad."""
        first = self._head.run(feeds)
        both = first | self._rest.run({**feeds, **first})
        return {name: both[name] for name in self._outputs}


class Batched:
    """A model of one batch size, run for each part of a larger batch; its outputs are put together again."""

    def __init__(self, oracle: Oracle, batched: Mapping[str, int], batch: int, burnt: bool) -> None:
        self._oracle, self._batched, self._batch, self._burnt = oracle, batched, batch, burnt

    @property
    def title(self) -> str:
        """What computes the values."""
        return f"{self._oracle.title} (batch after batch of {self._batch})"

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        """The outputs by name: the batched ones of all parts, the others of the first.

        Raises CannotRun and CannotLoad.
        """
        if not self._burnt:
            with suppress(CannotRun):
                return self._oracle.run(feeds)
        whole = {name: array for name, array in feeds.items() if name in self._batched}
        sizes = {len(array) for array in whole.values()}
        if len(sizes) != 1 or min(sizes) < self._batch or min(sizes) % self._batch:
            raise CannotRun(f"the inputs hold no whole number of batches of {self._batch}")
        runs = [
            self._oracle.run({**feeds, **{name: array[start : start + self._batch] for name, array in whole.items()}})
            for start in range(0, min(sizes), self._batch)
        ]
        return {name: self._joined(name, [run[name] for run in runs]) for name in runs[0]}

    def _joined(self, name: str, arrays: Sequence[Array]) -> Array:
        return np.concatenate(arrays, self._batched[name]) if name in self._batched else arrays[0]


def multiplied(sizes: Sizes, names: Collection[int | str], batch: int) -> Sizes:
    """The sizes with whole numbers of batches in the dimensions of these names."""
    return {name: size * batch if name in names else size for name, size in sizes.items()}


def doubled(feeds: Mapping[str, Array], batched: Collection[str]) -> dict[str, Array]:
    """Inputs whose batch holds every sample twice, the second time in reverse order along the batch."""
    return {name: np.concatenate([array, array[::-1]]) if name in batched else array for name, array in feeds.items()}


def _outputs(path: Path) -> list[str]:
    return [value.name for value in load(path).proto.graph.output]
