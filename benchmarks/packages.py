"""How many models of a folder does TensorRT take as they are, after onnxfix, and after its peers?

    python -m benchmarks.packages FOLDER [--tools onnxfix,onnxsim,…] [--json FILE]

FOLDER holds .onnx files, such as those that public packages ship; the kind of a model is the folder in which it lies.
"good" means that the engine builds (TensorRT-RTX on the CPU, compute capability 8.9) and that the outputs equal the
original's in ONNX Runtime on seeded inputs.  Nothing is downloaded and no model is changed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.kept import rules_of
from benchmarks.rescue import OWN, TOOLS, Row, judge
from onnxfix.model import load
from onnxfix.verify.numeric import verify_numeric

ROUNDING = 1e-6
"""The largest difference that counts as equal here: peers merge nodes, which rounds numbers near zero otherwise."""


def measure(path: Path, kind: str, tools: Sequence[str]) -> Row:
    """Judge one file as it is and after each tool, and print a line with the seconds that each tool took."""
    refusal = judge(_case(path), path)
    row = Row(path.stem, kind, not refusal, reasons={"raw": refusal})
    figures = [f"raw {_word(row.raw)}"]
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        for tool in tools:
            result = Path(folder, f"{tool}.onnx")
            started = time.monotonic()
            reason = TOOLS[tool](path, result)
            figures.append(f"{tool} {time.monotonic() - started:.1f} s")
            refusal = judged(path, result) if result.exists() else row.reasons["raw"]
            row.tools[tool], row.rules[tool] = not refusal, rules_of(result)
            row.reasons[tool] = "; ".join(filter(None, (reason, refusal)))
            figures[-1] += f" {_word(row.tools[tool])}"
    print(f"{kind}/{path.stem}: {', '.join(figures)}", flush=True)
    return row


def judged(path: Path, result: Path) -> str:
    """Why a tool's result is not good, or ""."""
    refusal = judge(_case(result), result)
    if refusal:
        return refusal
    check = verify_numeric(load(path), result)
    figures = [figure for run in check.details.get("runs", ()) for figure in run["figures"] if figure["why"]]
    rounded = bool(figures) and all(0 < figure["max_diff"] <= ROUNDING for figure in figures)
    return f"outputs: {check.reason}" if check.outcome == "failed" and not rounded else ""


def _case(path: Path) -> Case:
    """Without recorded inputs and outputs, so that only the engine is asked."""
    return Case(path.stem, "package", load(path).proto, {}, {})


def _word(good: bool) -> str:
    return "good" if good else "refused"


def table(rows: Sequence[Row]) -> str:
    """Figures by kind: models, good as they are, and after each tool."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.kind].append(row)
    lines = []
    for kind, group in (*sorted(groups.items()), ("all", list(rows))):
        after = (f"{tool} {sum(row.tools[tool] for row in group)}" for tool in rows[0].tools)
        lines.append(f"{kind}: {len(group)} models, raw {sum(row.raw for row in group)}, {', '.join(after)}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table and the reasons of what stays refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packages", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tools", default="onnxfix,onnxsim,onnxslim", help=f"some of {', '.join(TOOLS)}")
    parser.add_argument("--json", type=Path, help="write every row to this file")
    options = parser.parse_args()
    paths = sorted(options.folder.absolute().rglob("*.onnx"))  # the peers run in folders of their own
    if not paths:
        parser.error(f"there is no .onnx file in {options.folder}")
    tools = options.tools.split(",")
    if unknown := sorted({*tools} - {*TOOLS}):
        parser.error(f"no tool is called {', '.join(unknown)}")
    rows = [measure(path, path.parent.name, tools) for path in paths]
    print(table(rows))
    for row in rows:
        for tool in OWN:
            if not row.tools.get(tool, True):
                broken = "BROKEN" if row.raw else "refused"
                print(f"{broken} after {tool}: {row.kind}/{row.name}: {row.reasons[tool][:300]}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
