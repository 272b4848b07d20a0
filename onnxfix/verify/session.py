"""Runs two model files on the same inputs and compares their outputs. Runs inside the sandbox; gives figures only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix.model import load
from onnxfix.model.model import Array
from onnxfix.verify.compare import Figures, compare
from onnxfix.verify.inputs import InputSpec
from onnxfix.verify.lists import counted, flat, tensors
from onnxfix.verify.oracle import WAYS, Oracle
from onnxfix.verify.parts import TWICE, Batched, Pipeline, doubled, multiplied
from onnxfix.verify.runtime import CannotLoad, CannotRun
from onnxfix.verify.sizes import Sizes, levels
from onnxfix.verify.steady import unsteady_output
from onnxfix.verify.values import recorded_inputs, seeded


@dataclass(frozen=True, slots=True)
class Job:
    """What to compare. `candidate` is "" to run the original alone; `recorded` is "" for seeded inputs.

    `outputs` are values of both models; `draws` says that the original has random operators. `retyped` are inputs
    and outputs whose element type the repair may change, with the candidate's type: their values are cast.
    `frozen` are inputs that the candidate holds as constants; the original is fed the same values.  `rest` is a model
    that goes on where the candidate was cut.  `batched` has the inputs and outputs whose batch the candidate has freed
    from `batch`, and its axis; the original runs once for each part, or on the whole where it takes that and the batch
    is not `burnt` in.  `made` are the candidate's outputs when they are others: elements of sequences.
    `coarsest` is the coarsest float type that the original rounds to inside.
    """

    original: str
    candidate: str
    outputs: tuple[str, ...]
    specs: tuple[InputSpec, ...] = ()
    fixed: dict[str, int] = field(default_factory=dict)
    recorded: str = ""
    draws: bool = False
    retyped: dict[str, int] = field(default_factory=dict)
    frozen: dict[str, Array] = field(default_factory=dict)
    rest: str = ""
    batch: int = 1
    batched: Mapping[str, int] = field(default_factory=dict)
    burnt: bool = True
    made: tuple[str, ...] = ()
    coarsest: str = ""
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
    that differ between two runs of the original, `refused` the sizes that the original does not take;
    `coarsest` is that of the job.  `unsteady` says that the original magnifies roundings, where outputs differ.
    """

    oracle: str = ""
    candidate_oracle: str = ""
    runs: tuple[Run, ...] = ()
    refused: tuple[tuple[Sizes, str], ...] = ()
    random: tuple[str, ...] = ()
    no_baseline: str = ""
    no_candidate: str = ""
    missing: bool = False
    coarsest: str = ""
    unsteady: str = ""


Outputs = dict[str, Any]
Baseline = list[tuple[Run, Mapping[str, Array], Outputs]]


def compare_files(job: Job) -> Comparison:
    """Runs the original, then the candidate on the inputs that the original took."""
    baseline, report = _baseline(job)
    if report.no_baseline or not job.candidate:
        return report
    try:
        oracle = _candidate(job)
        runs = tuple(_run_candidate(oracle, job, entry, report.random) for entry in baseline)
    except CannotLoad as reason:
        return replace(report, no_candidate=str(reason), missing=reason.missing)
    except CannotRun as reason:
        return replace(report, no_candidate=f"it refuses inputs that the original takes: {reason}")
    report = replace(report, runs=runs, candidate_oracle=oracle.title)
    return replace(report, unsteady=_unsteady(job, baseline, runs))


def _unsteady(job: Job, baseline: Baseline, runs: Sequence[Run]) -> str:
    """What the original does with inputs one rounding away, at the first run whose outputs differ."""
    for (_, feeds, expected), run in zip(baseline, runs, strict=True):
        if any(figures.why for figures in run.figures):
            with suppress(CannotRun):
                return unsteady_output(_original(job).run, feeds, expected)
    return ""


def _candidate(job: Job) -> Oracle | Pipeline:
    if not job.rest:
        return Oracle(Path(job.candidate), job.made or job.outputs, job.ways)
    return Pipeline(Path(job.candidate), Path(job.rest), job.outputs, job.ways)


def _original(job: Job) -> Oracle | Batched:
    oracle = Oracle(Path(job.original), job.outputs, job.ways)
    return Batched(oracle, job.batched, job.batch, job.burnt) if job.batched else oracle


def _baseline(job: Job) -> tuple[Baseline, Comparison]:
    try:
        oracle = _original(job)
        baseline, refused = _accepted(job, oracle)
        random = _random_outputs(oracle, baseline) if job.draws and baseline else ()
    except CannotLoad as reason:
        return [], Comparison(no_baseline=str(reason))
    report = Comparison(oracle.title, "", tuple(run for run, _, _ in baseline), tuple(refused), random)
    report = replace(report, coarsest=job.coarsest)
    if not baseline:
        report = replace(report, no_baseline=refused[0][1])
    return baseline, report


def _accepted(job: Job, oracle: Oracle | Batched) -> tuple[Baseline, list[tuple[Sizes, str]]]:
    """The runs of the first level of sizes of which the original takes at least one, and what it refused."""
    refused: list[tuple[Sizes, str]] = []
    for level, gentle in _choices(job):
        baseline: Baseline = []
        for seed, sizes in enumerate(level):
            feeds = _feeds(job, sizes, seed, gentle)
            try:
                outputs = flat(oracle.run(feeds))
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
        return [([{}, {TWICE: 2}] if job.batched else [{}], False)]
    names = {spec.dims[0] for spec in job.specs if spec.name in job.batched and spec.dims}
    return (
        ([multiplied(sizes, names, job.batch) for sizes in level], gentle)
        for gentle in (False, True)
        for level in levels(job.specs, job.fixed)
    )


def _feeds(job: Job, sizes: Sizes, seed: int, gentle: bool) -> dict[str, Array]:
    if not job.recorded:
        return {**seeded(job.specs, sizes, seed, gentle=gentle), **job.frozen}
    feeds = recorded_inputs(Path(job.recorded), load(job.original), job.frozen)
    return doubled(feeds, job.batched) if TWICE in sizes else feeds


def _random_outputs(oracle: Oracle | Batched, baseline: Baseline) -> tuple[str, ...]:
    _, feeds, first = baseline[0]
    second = flat(oracle.run(feeds))
    return tuple(name for name in first if name not in second or compare(name, first[name], second[name]).why)


def _run_candidate(
    oracle: Oracle | Pipeline, job: Job, entry: tuple[Run, Mapping[str, Array], Outputs], random: Sequence[str]
) -> Run:
    run, feeds, expected = entry
    got = _outputs_of(oracle, job, feeds, expected)
    figures = []
    for name, array in expected.items():
        if name in job.retyped and name in got:
            figures.append(
                compare(name, *_of_one_type(array, got[name]), values=name not in random, coarsest=job.coarsest)
            )
        elif name in got:
            figures.append(compare(name, array, got[name], values=name not in random, coarsest=job.coarsest))
        else:
            figures.append(Figures(name, array.dtype.name, array.shape, why="it is gone"))
    return replace(run, figures=tuple(figures))


def _outputs_of(
    oracle: Oracle | Pipeline, job: Job, feeds: Mapping[str, Any], expected: Iterable[str]
) -> dict[str, Array]:
    """The candidate's outputs; its inputs have its own types, and the elements of sequences one by one."""
    own = {name: _retyped(value, job.retyped.get(name)) for name, value in {**tensors(feeds), **feeds}.items()}
    return counted(flat(oracle.run(own)), expected)


def _retyped(array: Array, dtype: int | None) -> Array:
    return (
        array
        if dtype is None or not isinstance(array, np.ndarray)
        else array.astype(onnx.helper.tensor_dtype_to_np_dtype(dtype))
    )


def _of_one_type(original: Array, got: Array) -> tuple[Array, Array]:
    """Both in the original's type; in the new one where numpy itself lacks the original's (int4, float8 ...)."""
    return (
        (original.astype(got.dtype), got) if original.dtype.isbuiltin != 1 else (original, got.astype(original.dtype))
    )
