"""Do engines compute the right numbers on this GPU?

    python -m benchmarks.gpu [--kinds node,simple,…] [--sample N] [--jobs N] [--json FILE] [--markdown FILE]
    python -m benchmarks.gpu --models DIR|FILE.onnx …

Without --models: every official conformance case is built, run on the GPU and compared with its recorded outputs. With
--models: the same for files of your own; beside `name.onnx` may lie `name.npz` with arrays `in:NAME` and `out:NAME`,
else inputs are seeded and ONNX Runtime computes what is expected. Outputs are equal within the tolerances of
onnxfix/verify/difference.py. Everything runs in child processes: a crash is a row of the table.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.cases import Case
from benchmarks.gpu_report import Row, page
from benchmarks.rescue import every_case
from onnxfix import engine, sandbox
from onnxfix.engine.run import run_plan, why_not
from onnxfix.errors import OnnxfixError
from onnxfix.model import load
from onnxfix.verify.difference import Difference, difference
from onnxfix.verify.engine_run import coarsest_type, compare_engine
from onnxfix.verify.numeric import draws
from onnxfix.verify.values import read_arrays

TIMEOUT = 30.0
"""Seconds for one build or one run."""


@dataclass(frozen=True)
class Job:
    """One model with its inputs and the outputs that are expected; None: ONNX Runtime computes them."""

    name: str
    kind: str
    path: Path
    inputs: dict[str, Any]
    outputs: dict[str, Any] | None


def judge(job: Job) -> Row:
    """Build, run and compare one model."""
    try:
        if job.outputs is None:
            return _against_runtime(job)
        return _against_recorded(job, job.outputs)
    except OnnxfixError as error:
        return Row(job.name, job.kind, "failing", str(error))


def _against_recorded(job: Job, expected: dict[str, Any]) -> Row:
    if not expected:
        return Row(job.name, job.kind, "nothing recorded")
    if not all(isinstance(value, np.ndarray) for value in (*job.inputs.values(), *expected.values())):
        return Row(job.name, job.kind, "no tensors", "a sequence or an optional at an input or output")
    plan = job.path.with_suffix(".plan")
    built = engine.build(job.path, timeout=TIMEOUT, sample=job.inputs, plan=plan, box=sandbox.full_precision())
    if not built.built:
        return _not_built(job, built)
    box = sandbox.full_precision()  # TF32 is off in it
    ran = run_plan(plan, job.inputs, flavour=built.flavour.name, narrow=True, timeout=TIMEOUT, box=box)
    plan.unlink()
    if ran.outcome != "ran":
        return Row(job.name, job.kind, "crashed" if ran.outcome == "crashed" else "failing", ran.reason)
    if gone := [name for name in expected if name not in ran.outputs]:
        return Row(job.name, job.kind, "failing", f"the engine has no output {gone[0]!r}")
    model = load(job.path)
    coarsest = coarsest_type(model)
    figures = [
        difference(name, _typed(array, ran.outputs[name].dtype), ran.outputs[name], coarsest)
        for name, array in expected.items()
    ]
    row = _row(job, figures)
    return replace(row, outcome="random") if row.outcome == "differing" and draws(model) else row


def _typed(array: Any, dtype: np.dtype[Any]) -> Any:
    """A .npz file keeps only the bits of bfloat16 and the like."""
    return array.view(dtype) if array.dtype.kind == "V" and not array.dtype.isbuiltin else array


def _against_runtime(job: Job) -> Row:
    found = compare_engine(job.path, job.inputs or None, timeout=TIMEOUT * 10)
    if not found.build.built:
        return _not_built(job, found.build)
    if found.unproven or found.failure:
        outcome = "crashed" if "crashed" in found.failure else "failing"
        return Row(job.name, job.kind, outcome, found.unproven + found.failure)
    return _row(job, found.differences)


def _not_built(job: Job, built: engine.EngineResult) -> Row:
    error = built.errors[0]
    kind = "crashed in the build" if built.outcome == "crashed" else "not built"
    return Row(job.name, job.kind, kind, f"{error.op_type} {error.message}".strip())


def _row(job: Job, figures: Iterable[Difference]) -> Row:
    every = list(figures)
    largest = max((item.max_abs for item in every), default=0.0)
    wrong = [item for item in every if item.why]
    if not wrong:
        return Row(job.name, job.kind, "equal", max_abs=largest)
    first = wrong[0]
    at = f"; at {list(first.first)}: {first.expected} became {first.got}" if first.first is not None else ""
    return Row(job.name, job.kind, "differing", f"{first.name} ({first.dtype}): {first.why}{at}", largest)


def case_job(case: Case, folder: Path) -> Job:
    """The job of an official case, saved in `folder`."""
    path = folder / "model.onnx"
    onnx.save(case.model, path)
    return Job(case.name, case.kind, path, _plain(case.inputs), _plain(case.outputs))


def file_job(path: Path) -> Job:
    """The job of a file, with the arrays of the .npz file beside it."""
    beside = path.with_suffix(".npz")
    if not beside.exists():
        return Job(path.stem, "file", path, {}, None)
    arrays = read_arrays(beside)
    inputs = {name.removeprefix("in:"): array for name, array in arrays.items() if name.startswith("in:")}
    outputs = {name.removeprefix("out:"): array for name, array in arrays.items() if name.startswith("out:")}
    return Job(path.stem, "file", path, inputs, outputs or None)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values of types that numpy lacks are recorded as TensorProto, some scalars as numpy's scalars."""
    return {name: _array(value) for name, value in values.items()}


def _array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def _share(work: tuple[int, int, tuple[str, ...], int, tuple[Path, ...]]) -> list[Row]:
    """The rows of worker `number` of `of`."""
    number, of, kinds, step, files = work
    rows = []
    for job in _jobs(number, of, kinds, step, files):
        rows.append(judge(job))
        if len(rows) % 50 == 0:
            print(f"worker {number}: {len(rows)}", flush=True)
    sandbox.default().close()
    sandbox.full_precision().close()
    return rows


def _jobs(number: int, of: int, kinds: tuple[str, ...], step: int, files: tuple[Path, ...]) -> Iterator[Job]:
    if files:
        yield from map(file_job, files[number::of])
        return
    with tempfile.TemporaryDirectory(prefix="onnxfix-gpu-") as folder:
        for case in every_case(kinds)[::step][number::of]:
            yield case_job(case, Path(folder))


def model_files(places: Sequence[Path]) -> tuple[Path, ...]:
    """The .onnx files named, and those in the folders named."""
    return tuple(path for place in places for path in (sorted(place.rglob("*.onnx")) if place.is_dir() else [place]))


def main() -> None:
    """Measure, print the page, and keep page and rows on request."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--kinds", default="node", help="node,simple,light,pytorch-converted,pytorch-operator")
    parser.add_argument("--models", nargs="+", type=Path, default=[], help="files or folders instead of official cases")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="every Nth case only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write every row to this file")
    parser.add_argument("--markdown", type=Path, help="write the page to this file")
    options = parser.parse_args()
    if reason := why_not():
        raise SystemExit(f"nothing can run here: {reason}")
    files = model_files(options.models)
    work = [(n, options.jobs, tuple(options.kinds.split(",")), options.sample, files) for n in range(options.jobs)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        rows = [row for part in pool.map(_share, work) for row in part]
    text = page(rows)
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
