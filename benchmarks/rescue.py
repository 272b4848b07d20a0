"""How many models does TensorRT take before and after repair, with equal outputs?

    python -m benchmarks.rescue [--kinds node,simple,…] [--sample N] [--peers] [--json FILE] [--keep DIR]

"good" means that the engine builds (TensorRT-RTX on the CPU, compute capability 8.9) and that the model's outputs
equal the recorded ones, in ONNX Runtime or, where that cannot run the model, in onnx.reference.  A case without
recorded outputs is good when the engine builds and the repair was verified.

The column `onnxfix+interface` allows changes to the interface, with the recorded inputs as `--inputs`: inputs that
became constants are not fed, and values of inputs and outputs that have another type are compared by value.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.cases import Case, folder_cases, node_cases
from benchmarks.kept import bits, keep_model, rules_of
from benchmarks.recorded import flat, plain
from onnxfix import engine, sandbox
from onnxfix.errors import OnnxfixError

RESTART_EVERY = 200


@dataclass
class Row:
    """One case: is it good raw, and after each tool; `reasons` say why not."""

    name: str
    kind: str
    raw: bool
    tools: dict[str, bool] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    rules: dict[str, list[str]] = field(default_factory=dict)


def measure(case: Case, peers: bool, keep: Path | None = None) -> Row:
    """Judge one case raw, after onnxfix, and after the peers; what onnxfix rescued is kept in a folder on request."""
    with tempfile.TemporaryDirectory(prefix="rescue-") as folder:
        path = Path(folder, "model.onnx")
        onnx.save(case.model, path)
        refusal = judge(case, path)
        row = Row(case.name, case.kind, not refusal, reasons={"raw": refusal})
        write_inputs(case, path.with_name("inputs.npz"))
        for tool, function in TOOLS.items() if peers else {name: TOOLS[name] for name in OWN}.items():
            result = Path(folder, f"{tool}.onnx")
            reason = function(path, result)
            refusal = judge(case, result) if result.exists() else row.reasons["raw"]
            row.tools[tool] = not refusal
            row.rules[tool] = rules_of(result)
            if keep and tool in OWN and row.tools[tool] and not row.raw:
                keep_model(case, result, keep / f"{tool.partition('+')[2] or 'kept'}-{case.name}.onnx")
            row.reasons[tool] = "; ".join(filter(None, (reason, refusal)))
    return row


def judge(case: Case, path: Path) -> str:
    """Why a model is not good, or ""."""
    sample = {name: value for name, value in case.inputs.items() if isinstance(value, np.ndarray | np.generic)}
    built = engine.build(path, "tensorrt_rtx", "8.9", timeout=120, sample=sample)
    if not built.built:
        error = built.errors[0] if built.errors else None
        return f"{built.outcome}: {error.op_type} {error.message}" if error else built.outcome
    if not case.outputs:
        return ""
    try:
        wrong: str = sandbox.default().call(
            "benchmarks.recorded:matches", str(path), case.inputs, case.outputs, case.rtol, case.atol, timeout=120
        )
    except OnnxfixError as error:
        return f"outputs: {error}"
    return f"outputs: {wrong}" if wrong else ""


def write_inputs(case: Case, path: Path) -> None:
    """The recorded inputs as `--inputs` takes them; nothing when there are none."""
    arrays = flat({name: plain(value) for name, value in case.inputs.items()})
    if case.inputs or not case.model.graph.input:
        texts = {name: array.astype(str) for name, array in arrays.items() if array.dtype.kind == "O"}
        np.savez(path, **{**{name: bits(array) for name, array in arrays.items()}, **texts})


def _onnxfix(path: Path, output: Path) -> str:
    return _repaired(path, output)


def _with_interface(path: Path, output: Path) -> str:
    inputs = path.with_name("inputs.npz")
    return _repaired(path, output, interface_changes=True, inputs=inputs if inputs.exists() else None)


def _repaired(path: Path, output: Path, **arguments: Any) -> str:
    from onnxfix.api.repair import repair

    try:
        report = repair(path, output, target="rtx1.7", **arguments)
    except OnnxfixError as error:
        return f"error: {error}"
    except Exception as error:  # a crash of the tool is what this benchmark must count, not hide
        return f"CRASH {type(error).__name__}: {error}"
    return report.unwritten


def _onnxsim(path: Path, output: Path) -> str:
    return _peer("onnxsim", path, output)


def _onnxslim(path: Path, output: Path) -> str:
    return _peer("onnxslim", path, output)


def _polygraphy(path: Path, output: Path) -> str:
    return _peer("polygraphy", path, output)


def _peer(name: str, path: Path, output: Path) -> str:
    try:
        sandbox.default().call(f"benchmarks.peers:{name}", str(path), str(output), timeout=120)
    except OnnxfixError as error:
        return f"error: {error}"
    return ""


TOOLS: dict[str, Callable[[Path, Path], str]] = {
    "onnxfix": _onnxfix,
    "onnxfix+interface": _with_interface,
    "onnxsim": _onnxsim,
    "onnxslim": _onnxslim,
    "polygraphy": _polygraphy,
}


OWN = ("onnxfix", "onnxfix+interface")
DECLARED = {"OFX727", "OFX730"}
"""Rules that take the value of a run-time input (axes, a length) from the shapes that the model declares."""


def _measure_share(share: tuple[int, int, tuple[str, ...], int, bool, Path | None]) -> list[Row]:
    number, of, kinds, step, peers, keep = share
    rows = []
    cases = every_case(kinds)[::step][number::of]
    for count, case in enumerate(cases, 1):
        rows.append(measure(case, peers, keep))
        if count % RESTART_EVERY == 0:
            sandbox.default().close()
            print(f"worker {number}: {count} of {len(cases)}", flush=True)
    return rows


def every_case(kinds: Iterable[str]) -> list[Case]:
    """The cases of the wanted kinds ("node", "simple", "light", "pytorch-converted", "pytorch-operator")."""
    wanted = set(kinds)
    found = list(node_cases()) if "node" in wanted else []
    return found + [case for case in folder_cases() if case.kind in wanted]


def table(rows: list[Row]) -> str:
    """Figures by group: cases, good raw, and for each tool good, rescued and broken."""
    lines = []
    for title, group in (
        ("node", [r for r in rows if r.kind == "node"]),
        ("other", [r for r in rows if r.kind != "node"]),
    ):
        if not group:
            continue
        lines.append(f"{title}: {len(group)} cases, {sum(row.raw for row in group)} good as they are")
        for tool in group[0].tools:
            good = sum(row.tools[tool] for row in group)
            rescued = sum(row.tools[tool] and not row.raw for row in group)
            broken = sum(row.raw and not row.tools[tool] for row in group)
            crashed = sum("CRASH" in row.reasons.get(tool, "") for row in group)
            lines.append(f"  {tool:<18} {good:>5} good  {rescued:>4} rescued  {broken:>4} broken  {crashed:>4} crashed")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, and keep every row on request."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rescue", description=__doc__)
    parser.add_argument("--kinds", default="node,simple,light,pytorch-converted,pytorch-operator")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="every Nth case only")
    parser.add_argument("--peers", action="store_true", help="run onnxsim, onnxslim and polygraphy too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write every row to this file")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what onnxfix rescued, with inputs and outputs")
    options = parser.parse_args()
    shares = [
        (n, options.jobs, tuple(options.kinds.split(",")), options.sample, options.peers, options.keep)
        for n in range(options.jobs)
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        rows = [row for part in pool.map(_measure_share, shares) for row in part]
    print(table(rows))
    for tool in OWN:
        declared = sum(not row.raw and row.tools[tool] and bool(DECLARED & {*row.rules[tool]}) for row in rows)
        print(f"{tool}: {declared} of the rescued read a run-time parameter off the shapes that the model declares")
        for row in rows:
            if row.raw and not row.tools[tool]:
                print(f"BROKEN by {tool}: {row.kind} {row.name}: {row.reasons[tool]}")
        print(f"still refused after {tool}:")
        common = Counter(row.reasons[tool][:70] for row in rows if not row.tools[tool])
        for reason, count in common.most_common():
            print(f"{count:>5}  {reason}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
