"""How long executions take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One execution, in milliseconds of the GPU's own clock: inputs to the GPU, the engine, outputs to the host."""

    copy_in: float
    compute: float
    copy_out: float

    @property
    def total(self) -> float:
        """All three."""
        return self.copy_in + self.compute + self.copy_out


@dataclass(frozen=True, slots=True)
class Timing:
    """Many executions, one after another. `median` and `p95` are milliseconds of a whole execution with its copies.

    `copy_in`, `compute` and `copy_out` are medians in milliseconds. `throughput` is executions per second of the
    host's clock. The first `warmup` executions are not counted.
    """

    iterations: int
    warmup: int
    median: float
    p95: float
    throughput: float
    copy_in: float
    compute: float
    copy_out: float
    cuda_graph: bool = False


def summary(samples: Sequence[Sample], seconds: float, warmup: int, cuda_graph: bool) -> Timing:
    """The figures of at least one sample; `seconds` is the wall-clock time of all of them."""
    totals = sorted(sample.total for sample in samples)
    return Timing(
        iterations=len(samples),
        warmup=warmup,
        median=statistics.median(totals),
        p95=totals[min(len(totals) - 1, -(-len(totals) * 95 // 100) - 1)],
        throughput=len(samples) / seconds,
        copy_in=statistics.median(sample.copy_in for sample in samples),
        compute=statistics.median(sample.compute for sample in samples),
        copy_out=statistics.median(sample.copy_out for sample in samples),
        cuda_graph=cuda_graph,
    )
