"""How small planted failures become, and after how many checks; `--peers N` asks polygraphy for the first N too.

python -m benchmarks.culprit --count 50 --peers 4
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx

from benchmarks.planted import Planted, planted
from onnxfix.isolate.answers import Answer, Answers
from onnxfix.isolate.search import Search, search_nodes, size_of
from onnxfix.isolate.shrink import shrink
from onnxfix.model import Model, load
from onnxfix.model.scope import scopes_of

_COUNTING = """import sys, onnx
from benchmarks.culprit import operators
open(sys.argv[1], "a").write("x")
m = onnx.load(sys.argv[2], load_external_data=False)
sys.exit(1 if set(sys.argv[3:]) <= operators(m) else 0)
"""


def operators(proto: onnx.ModelProto) -> set[str]:
    """The operators in all graphs and functions."""
    return {node.op_type for scope in scopes_of(Model(proto)) for node in scope.nodes}


@dataclass
class Plant:
    """The check that fails where all operators are together."""

    wanted: tuple[str, ...]
    title: str = "planted"

    def __call__(self, path: Path, model: Model) -> Answer:  # noqa: ARG002
        """Looks at the operators."""
        return Answer("planted", "planted") if set(self.wanted) <= operators(model.proto) else Answer()


def ours(case: Planted) -> tuple[int, int, float]:
    """(nodes left, checks, seconds)."""
    started = time.perf_counter()
    search = Search(load(case.model), Plant(case.operators), Answers(None, ""), str)
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


def rows(count: int, seed: int, peers: int, timeout: float) -> Iterator[str]:
    """One line for each model, and the sum."""
    beyond = []
    for number, case in enumerate(planted(count, seed)):
        nodes, checks, seconds = ours(case)
        beyond.append(nodes - case.minimal)
        line = f"{case.kind:9} {case.nodes:5} nodes: {nodes} left, {checks} checks, {seconds:.1f} s"
        if number < peers:
            left, asked, took = polygraphy(case, timeout)
            line += f"; polygraphy: {left} left, {asked} checks, {took:.1f} s"
        yield line
    good = sum(more <= 3 for more in beyond)
    yield f"{good} of {len(beyond)} at most 3 nodes beyond the minimal; the worst {max(beyond)} beyond"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peers", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=600.0)
    options = parser.parse_args()
    for row in rows(options.count, options.seed, options.peers, options.timeout):
        print(row, flush=True)


if __name__ == "__main__":
    main()
