"""How small planted failures become, and after how many checks; `--peers` asks `polygraphy debug reduce` too.

python -m benchmarks.culprit --count 50
python -m benchmarks.culprit --count 25 --peers --timeout 300
python -m benchmarks.culprit --many
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from benchmarks.planted import Planted, many, planted
from onnxfix.isolate.answers import Answer, Answers
from onnxfix.isolate.search import Search, search_nodes, size_of
from onnxfix.isolate.shrink import shrink
from onnxfix.model import Model, load
from onnxfix.model.scope import scopes_of

_COUNTING = """import sys, onnx
def every(nodes):
    for node in nodes:
        yield node.op_type
        for a in node.attribute:
            for g in (a.g, *a.graphs):
                yield from every(g.node)
open(sys.argv[1], "a").write("x")
m = onnx.load(sys.argv[2], load_external_data=False)
found = {*every(m.graph.node), *(op for f in m.functions for op in every(f.node))}
sys.exit(1 if set(sys.argv[3:]) <= found else 0)
"""


MANY = ("scattered", "together")
"""Kinds of planted failures that need many nodes with one operator."""


def operators(proto: onnx.ModelProto) -> set[str]:
    """The operators in all graphs and functions."""
    return {node.op_type for scope in scopes_of(Model(proto)) for node in scope.nodes}


@dataclass
class Plant:
    """The check that fails where all operators are together, in at least so many nodes of the main graph."""

    wanted: tuple[str, ...]
    nodes: int = 0
    title: str = "planted"

    def __call__(self, path: Path, model: Model) -> Answer:  # noqa: ARG002
        """Looks at the operators."""
        there = sum(node.op_type in self.wanted for node in model.proto.graph.node) >= self.nodes
        return Answer("planted", "planted") if there and set(self.wanted) <= operators(model.proto) else Answer()


def ours(case: Planted) -> tuple[int, int, float]:
    """(nodes left, checks, seconds)."""
    started = time.perf_counter()
    search = Search(
        load(case.model), Plant(case.operators, case.minimal if case.kind in MANY else 0), Answers(None, ""), str
    )
    assert search.begin()
    search_nodes(search)
    shrink(search)
    search_nodes(search)
    onnx.checker.check_model(search.model.proto, full_check=True)
    return size_of(search.model), search.checks, time.perf_counter() - started


def polygraphy(case: Planted, timeout: float) -> tuple[int, int, float]:
    """The same by `polygraphy debug reduce`, -1 nodes when it fails or takes too long."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        whole, small, count = Path(folder, "m.onnx"), Path(folder, "small.onnx"), Path(folder, "count")
        count.touch()
        onnx.save(case.model, whole)
        script = Path(folder, "check.py")  # it takes no line breaks in arguments
        script.write_text(_COUNTING)
        check = [sys.executable, str(script), str(count), "polygraphy_debug.onnx", *case.operators]
        program = [str(Path(sys.executable).with_name("polygraphy")), "debug", "reduce", str(whole), "-o", str(small)]
        words = [*program, "--no-shape-inference", "--check", *check]
        environment = {"PYTHONPATH": str(Path.cwd()), "PATH": "/usr/bin:/bin"}
        try:
            subprocess.run(words, cwd=folder, env=environment, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            return -1, len(count.read_text()), time.perf_counter() - started
        left = size_of(load(small)) if small.exists() else -1
        return left, len(count.read_text()), time.perf_counter() - started


HEAD = """| planted | nodes | minimal | onnxfix: left | checks | polygraphy: left | checks |
|---|---|---|---|---|---|---|"""


def rows(cases: Sequence[Planted], peers: bool, timeout: float) -> Iterator[str]:
    """A row of a table for each model, and the sums; "none" where polygraphy gives no model in time."""
    beyond, theirs = [], []
    yield HEAD
    for case in cases:
        nodes, checks, _ = ours(case)
        beyond.append(nodes - case.minimal)
        line = f"| {case.kind} | {case.nodes} | {case.minimal} | {nodes} | {checks} |"
        if peers:
            left, asked, took = polygraphy(case, timeout)
            theirs.append(left - case.minimal if left >= 0 else None)
            late = f" in {took:.0f} s" if left < 0 else ""
            line += f" {left if left >= 0 else 'none'} | {asked}{late} |"
        yield line
    good = sum(more <= 3 for more in beyond)
    yield f"\n{good} of {len(beyond)} at most 3 nodes beyond the minimal; the worst {max(beyond)} beyond"
    if theirs:
        found = sum(more is not None and more <= 3 for more in theirs)
        yield f"polygraphy: {found} of {len(theirs)} at most 3 nodes beyond the minimal"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="leave so many models out")
    parser.add_argument("--many", action="store_true", help="failures that need 20 to 200 nodes, and no others")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for polygraphy, for one model")
    options = parser.parse_args()
    own = [*many(False), *many(True)] if options.many else planted(options.count, options.seed)
    cases = own[options.start :]
    for row in rows(cases, options.peers, options.timeout):
        print(row, flush=True)


if __name__ == "__main__":
    main()
