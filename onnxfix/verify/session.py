"""Runs two model files on the same inputs and compares their outputs. Runs inside the sandbox; gives figures only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix.model import load
from onnxfix.verify.compare import Array, Figures, compare
from onnxfix.verify.inputs import InputSpec
from onnxfix.verify.oracle import WAYS, Oracle
from onnxfix.verify.runtime import CannotLoad, CannotRun
from onnxfix.verify.sizes import Sizes, levels
from onnxfix.verify.values import recorded_inputs, seeded


@dataclass(frozen=True, slots=True)
class Job:
    """What to compare. `candidate` is "" to run the original alone; `recorded` is "" for seeded inputs.

    `outputs` are values of both models; `draws` says that the original has random operators. `retyped` are inputs
    and outputs whose element type the repair may change, with the candidate's type: their values are cast.
    """

    original: str
    candidate: str
    outputs: tuple[str, ...]
    specs: tuple[InputSpec, ...] = ()
    fixed: dict[str, int] = field(default_factory=dict)
    recorded: str = ""
    draws: bool = False
    retyped: dict[str, int] = field(default_factory=dict)
    ways: tuple[str, ...] = WAYS


@dataclass(frozen=True, slots=True)
class Run:
    """One set of inputs: its sizes by dimension name, its seed, and the figures of every output."""

    sizes: Sizes
    seed: int
    figures: tuple[Figures, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of a job. `no_baseline` and `no_candidate` say why one of the two models gave no outputs.

    `missing` is true when the runtime merely lacks something that the candidate needs. `random` names the outputs
    that differ between two runs of the original, `refused` the sizes that the original does not take.
    """

    oracle: str = ""
    candidate_oracle: str = ""
    runs: tuple[Run, ...] = ()
    refused: tuple[tuple[Sizes, str], ...] = ()
    random: tuple[str, ...] = ()
    no_baseline: str = ""
    no_candidate: str = ""
    missing: bool = False


Outputs = dict[str, Any]
Baseline = list[tuple[Run, Mapping[str, Array], Outputs]]


def compare_files(job: Job) -> Comparison:
    """Runs the original, then the candidate on the inputs that the original took."""
    baseline, report = _baseline(job)
    if report.no_baseline or not job.candidate:
        return report
    try:
        oracle = Oracle(Path(job.candidate), job.outputs, job.ways)
        runs = tuple(_run_candidate(oracle, job, entry, report.random) for entry in baseline)
    except CannotLoad as reason:
        return replace(report, no_candidate=str(reason), missing=reason.missing)
    except CannotRun as reason:
        return replace(report, no_candidate=f"it refuses inputs that the original takes: {reason}")
    return replace(report, runs=runs, candidate_oracle=oracle.title)


def _baseline(job: Job) -> tuple[Baseline, Comparison]:
    try:
        oracle = Oracle(Path(job.original), job.outputs, job.ways)
        baseline, refused = _accepted(job, oracle)
        random = _random_outputs(oracle, baseline) if job.draws and baseline else ()
    except CannotLoad as reason:
        return [], Comparison(no_baseline=str(reason))
    report = Comparison(oracle.title, "", tuple(run for run, _, _ in baseline), tuple(refused), random)
    if not baseline:
        report = replace(report, no_baseline=refused[0][1])
    return baseline, report


def _accepted(job: Job, oracle: Oracle) -> tuple[Baseline, list[tuple[Sizes, str]]]:
    """The runs of the first level of sizes of which the original takes at least one, and what it refused."""
    refused: list[tuple[Sizes, str]] = []
    for level, gentle in _choices(job):
        baseline: Baseline = []
        for seed, sizes in enumerate(level):
            feeds = _feeds(job, sizes, seed, gentle)
            try:
                outputs = _flat(oracle.run(feeds))
            except CannotRun as reason:
                refused.append((sizes, str(reason)))
                continue
            if sizes and not any(array.size for array in outputs.values()):
                refused.append((sizes, "all outputs are empty"))
                continue
            baseline.append((Run(sizes, seed), feeds, outputs))
        if baseline:
            return baseline, refused
    return [], refused


def _choices(job: Job) -> Iterable[tuple[list[Sizes], bool]]:
    """Sizes to try, first with any values, then with gentle ones."""
    if job.recorded:
        return [([{}], False)]
    return ((level, gentle) for gentle in (False, True) for level in levels(job.specs, job.fixed))


def _feeds(job: Job, sizes: Sizes, seed: int, gentle: bool) -> dict[str, Array]:
    if not job.recorded:
        return seeded(job.specs, sizes, seed, gentle=gentle)
    return recorded_inputs(Path(job.recorded), load(job.original))


def _random_outputs(oracle: Oracle, baseline: Baseline) -> tuple[str, ...]:
    _, feeds, first = baseline[0]
    second = _flat(oracle.run(feeds))
    return tuple(name for name in first if name not in second or compare(name, first[name], second[name]).why)


def _run_candidate(
    oracle: Oracle, job: Job, entry: tuple[Run, Mapping[str, Array], Outputs], random: Sequence[str]
) -> Run:
    run, feeds, expected = entry
    got = _flat(oracle.run({name: _retyped(array, job.retyped.get(name)) for name, array in feeds.items()}))
    figures = []
    for name, array in expected.items():
        if name in job.retyped and name in got:
            figures.append(compare(name, array, got[name].astype(array.dtype), values=name not in random))
        elif name in got:
            figures.append(compare(name, array, got[name], values=name not in random))
        else:
            figures.append(Figures(name, array.dtype.name, array.shape, why="it is gone"))
    return replace(run, figures=tuple(figures))


def _retyped(array: Array, dtype: int | None) -> Array:
    return array if dtype is None else array.astype(onnx.helper.tensor_dtype_to_np_dtype(dtype))


def _flat(outputs: Mapping[str, Any]) -> Outputs:
    """Arrays by name; the elements of a sequence are name[0], name[1] and so on, an empty optional is left out."""
    flat: Outputs = {}
    for name, value in outputs.items():
        if isinstance(value, list | tuple):
            flat[f"{name}.length"] = np.asarray(len(value))
            flat.update(_flat({f"{name}[{place}]": item for place, item in enumerate(value)}))
        elif isinstance(value, dict):
            flat.update(_flat({f"{name}[{key!r}]": item for key, item in value.items()}))
        elif value is not None:
            flat[name] = np.asarray(value)
    return flat
