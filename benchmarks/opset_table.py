"""Which share of models each converter brings to another opset: `python -m benchmarks.opset_table`.

The models are the official conformance models, the whole models in onnx's test data, and those that `fixtures` writes.
A conversion counts when the ONNX checker takes the result with full_check and its outputs equal the original's in
ONNX Runtime (in ONNX's reference evaluator where that has no kernel).  Models that draw random numbers, are invalid as
they are, give no outputs, or that neither runtime takes, are left out.  What the target cannot express is what
benchmarks.expressible says.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.cases import Case, folder_cases, node_cases
from benchmarks.expressible import obstacle
from benchmarks.opset import RANDOM, complaint, difference, outputs_of, whole
from onnxfix import sandbox
from onnxfix.errors import OnnxfixError
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.conversion import blockers_of, convert
from onnxfix.model import load

TARGETS = (17, 13, 11, 9, 7)
TOOLS = ("onnxfix", "onnx.version_converter", "onnxscript")
TIMEOUT = 60
RESTART_EVERY = 100
"""A child of the sandbox that ran peers for so many models is replaced."""


@dataclass(frozen=True)
class Row:
    """One model at one target: `obstacle` is the class of what the target cannot express; `results` is by tool
    "equal", or what it was instead ("wrong", "invalid", "refused", "not run")."""

    case: str
    start: int
    target: int
    obstacle: str
    results: dict[str, str] = field(default_factory=dict)


def measure(case: Case) -> Iterator[Row]:
    """All targets of one model; none when it is not of the standard's domain, draws numbers, is invalid or not run."""
    start = next((entry.version for entry in case.model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if not start or any(node.op_type in RANDOM for node in case.model.graph.node):
        return
    inputs = {name: np.asarray(v) if isinstance(v, np.generic) else v for name, v in case.inputs.items()}
    case = replace(case, inputs=inputs or _seeded(case.model))
    truth = outputs_of(case.model, case.inputs)
    if not truth or complaint(case.model):
        return
    for target in TARGETS:
        results = {tool: _judged(case, _converted(tool, case.model, start, target), truth) for tool in TOOLS}
        yield Row(case.name, start, target, obstacle(case.model, target) if target < start else "", results)


def _seeded(model: onnx.ModelProto) -> dict[str, Any]:
    """Inputs for a model without recorded ones: uniform floats of the declared shape."""
    random, stored = np.random.default_rng(0), {tensor.name for tensor in model.graph.initializer}
    values = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name not in stored:
            shape = [dim.dim_value or 1 for dim in kind.shape.dim]
            values[value.name] = random.random(shape).astype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return values


def _converted(tool: str, model: onnx.ModelProto, start: int, target: int) -> onnx.ModelProto | str:
    """The converted model, or why there is none."""
    if start == target:
        return model
    if tool == "onnxfix":
        result = convert(load(model), target, load_rules())
        return "refused" if blockers_of(result) else whole(result.model)
    try:
        name = tool.rpartition(".")[2]
        data = sandbox.default().call(f"benchmarks.peers:{name}", model.SerializeToString(), target, timeout=TIMEOUT)
    except OnnxfixError as error:
        return "crash" if isinstance(error, sandbox.SandboxCrash) else "refused"
    return onnx.ModelProto.FromString(data)


def _judged(case: Case, result: onnx.ModelProto | str, truth: dict[str, Any]) -> str:
    if isinstance(result, str):
        return result
    if complaint(result):
        return "invalid"
    found = outputs_of(result, case.inputs)
    if found is None:
        return "not run"
    return "equal" if any(not difference(wanted, found) for wanted in (truth, case.outputs) if wanted) else "wrong"


def every_case() -> list[Case]:
    """The official models, and the small ones of fixtures, without recorded inputs."""
    from fixtures import darknet, layers, small

    own = {name: small.build(name) for name in small.TEXTS}
    own |= {name: darknet.build(name, size=64, width=0.1, ailments=False) for name in layers.NETWORKS}
    return [*node_cases(), *folder_cases(), *(Case(name, "fixture", model, {}, {}) for name, model in own.items())]


def table(rows: Sequence[Row]) -> str:
    """Markdown: for each target and tool the share of all models, of those above the target, of expressible ones."""
    lines = ["| target | models | " + " | ".join(TOOLS) + " |", "|---|---|" + "---|" * len(TOOLS)]
    for target in TARGETS:
        every = [row for row in rows if row.target == target]
        above = [row for row in every if row.start > target]
        for title, group in (
            ("all", every),
            ("above the target", above),
            ("expressible", [row for row in every if not row.obstacle]),
            ("expressible, above the target", [row for row in above if not row.obstacle]),
        ):
            shares = " | ".join(_share(group, tool) for tool in TOOLS)
            lines.append(f"| {target} | {title} ({len(group)}) | {shares} |")
    return "\n".join(lines)


def _share(rows: Sequence[Row], tool: str) -> str:
    equal = sum(row.results[tool] == "equal" for row in rows)
    wrong = sum(row.results[tool] == "wrong" for row in rows)
    return f"{100 * equal / max(len(rows), 1):.1f}%, {wrong} wrong"


def classes(rows: Sequence[Row]) -> str:
    """How many models lie above a target and are not expressible there, by class."""
    lines = []
    for target in TARGETS:
        counts = Counter(row.obstacle for row in rows if row.target == target and row.obstacle)
        listed = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        lines.append(f"not expressible at {target}: {sum(counts.values())} ({listed})")
    return "\n".join(lines)


def _share_of(work: tuple[int, int, int]) -> list[Row]:
    number, of, step = work
    warnings.simplefilter("ignore")
    rows: list[Row] = []
    for count, case in enumerate(every_case()[::step][number::of], 1):
        rows += measure(case)
        if count % RESTART_EVERY == 0:
            sandbox.default().close()
            print(f"worker {number}: {count} models", flush=True)
    return rows


def main() -> None:
    """Measure, print the table, the classes and every wrong or invalid result, and keep every row on request."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.opset_table", description=__doc__)
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="every Nth model only")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write every row to this file")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        shares = [(number, options.jobs, options.sample) for number in range(options.jobs)]
        rows = [row for part in pool.map(_share_of, shares) for row in part]
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    print(f"{len({row.case for row in rows})} models", table(rows), classes(rows), sep="\n\n")
    for row in rows:
        if row.results["onnxfix"] in ("wrong", "invalid", "not run"):
            print(f"{row.results['onnxfix']}: {row.case} {row.start} -> {row.target}")


if __name__ == "__main__":
    main()
