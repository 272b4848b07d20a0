"""What TensorRT refuses of the official conformance models, each made as small as possible, and grouped.

    python -m benchmarks.refusals --state FILE [--budget SECONDS] [--most N] [--page docs/refusals.md]

Every model is given to the parser, and to the builder when the parser takes it.  What is known lies in FILE, a line of
JSON for each model, and the next run goes on from there.  What is refused is repaired too (changes to the interface
allowed, recorded inputs given), which tells whether onnxfix has rules for the group.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.cases import Case, folder_cases, node_cases
from benchmarks.rescue import write_inputs
from onnxfix.api.repair import repair
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.answers import Answers
from onnxfix.isolate.checks import Engine
from onnxfix.isolate.search import Search, search_nodes, size_of
from onnxfix.isolate.shrink import shrink
from onnxfix.model import Model, load, save
from onnxfix.model.scope import scopes_of

TARGET = "rtx1.7"
TIMEOUT = 60.0


@dataclass(frozen=True)
class Row:
    """One model. `stage` is "parse" or "build" when it is refused there, "" when it is taken; `sign` is the kind.

    `left` are the operators of the smallest model that is refused alike, `before` and `after` its numbers of nodes.
    `repaired` (None: not tried) says whether a repair was proven, with the codes of its `rules`, else `why` not.
    `trouble` is an error of the search.
    """

    case: str
    stage: str = ""
    sign: str = ""
    message: str = ""
    left: str = ""
    before: int = 0
    after: int = 0
    checks: int = 0
    repaired: bool | None = None
    rules: tuple[str, ...] = ()
    why: str = ""
    trouble: str = ""

    @property
    def group(self) -> tuple[str, str]:
        """The kind of refusal, and the operators that are left."""
        return self.sign, self.left


def measured(case: Case) -> Row:
    """Ask parser and builder, and search."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "case.onnx")
            path.write_bytes(case.model.SerializeToString())
            model = load(path)
            for stage in ("parse", "build"):
                check = Engine(stage, timeout=TIMEOUT)
                search = Search(model, check, Answers(None, ""), str)
                if search.begin():
                    return _smallest(Row(case.name, stage), search)
    except OnnxfixError as error:
        return Row(case.name, trouble=str(error))
    return Row(case.name)


def _smallest(row: Row, search: Search) -> Row:
    before = size_of(search.model)
    search_nodes(search)
    shrink(search)
    row = replace(row, sign=search.sign, message=search.first.message, left=_operators(search.model))
    return replace(row, before=before, after=size_of(search.model), checks=search.checks)


def _operators(model: Model) -> str:
    nodes = (node for scope in scopes_of(model) for node in scope.nodes)
    return "+".join(sorted({f"{node.domain}.{node.op_type}".lstrip(".") for node in nodes}))


def with_repair(row: Row, case: Case) -> Row:
    """The row with what a repair of the whole model comes to."""
    with tempfile.TemporaryDirectory() as folder:
        path, inputs = Path(folder, "case.onnx"), Path(folder, "inputs.npz")
        save(Model(case.model), path)
        write_inputs(case, inputs)
        recorded = inputs if inputs.exists() else None
        try:
            report = repair(path, Path(folder, "out.onnx"), target=TARGET, interface_changes=True, inputs=recorded)
        except OnnxfixError as error:
            return replace(row, repaired=False, why=str(error))
    proven = report.verdict.outcome == "passed" and not report.unwritten
    rules = tuple(dict.fromkeys(fix.code for fix in report.fixes))
    reasons = [report.unwritten, *(check.reason for check in report.verdict.checks if check.outcome != "passed")]
    return replace(row, repaired=proven, rules=rules, why="" if proven else next(filter(None, reasons), ""))


def rows_of(state: Path) -> dict[str, Row]:
    """What is known so far, by model; a last line that was not written whole is left out."""
    rows = {}
    for line in state.read_text().splitlines() if state.exists() else ():
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        rows[fields["case"]] = Row(**{**fields, "rules": tuple(fields["rules"])})
    return rows


def measure(state: Path, most: int, budget: float) -> Iterator[Row]:
    """The rows of models that the file does not have yet, each written to it at once; ends when time is up."""
    started = time.monotonic()
    known = rows_of(state)
    for case in itertools.islice(all_cases(), most):
        if time.monotonic() - started > budget:
            return
        row = known.get(case.name) or measured(case)
        if row.sign and row.repaired is None:
            row = with_repair(row, case)
        if row != known.get(case.name):
            with state.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            yield row


def all_cases() -> Iterator[Case]:
    """The whole models first, and then those of one node; a name that comes twice is told apart by its kind."""
    seen: set[str] = set()
    for case in itertools.chain(folder_cases(), node_cases()):
        yield replace(case, name=f"{case.kind}/{case.name}") if case.name in seen else case
        seen.add(case.name)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="what is known so far, and what is found")
    parser.add_argument("--most", type=int, default=1_000_000, help="so many models, whole ones first")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no model is begun")
    parser.add_argument("--page", type=Path, help="write the table, docs/refusals.md")
    options = parser.parse_args()
    for row in measure(options.state, options.most, options.budget):
        print(f"{row.case:50} {row.sign or row.trouble or 'taken'}", flush=True)
    if options.page:
        from benchmarks.refusals_page import page

        options.page.write_text(page(list(rows_of(options.state).values()), sum(1 for _ in all_cases())))


if __name__ == "__main__":
    main()
