"""Four times the nodes take four times the work and the memory: counted, because the clock of a busy machine lies.

Work is counted as lines of Python that are run in this process.  What the child process of the checker does is called
here for that, but for onnx's own C++.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import onnx
import pytest

import onnxfix
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import look
from onnxfix.model import load
from onnxfix.model.inference import inspect
from onnxfix.model.light import light_proto
from onnxfix.verify.pieces import KEPT_SESSIONS, Pieces
from onnxfix.verify.runtime import Session

HEAD = '<ir_version: 8, opset_import: ["" : 11]> '
STORED = "<float[4] ones = {1, 1, 1, 1}, int64 zero = {0}, int64[1] four = {4}, double[1] half = {0.5}>"
LINKS = {
    "healthy": "{y} = Relu ({x})",
    "one fix each": '{y} = Upsample <mode = "nearest"> ({x}, ones)',
    "computed shapes": "s{n} = Shape ({x}) g{n} = Gather (s{n}, zero) u{n} = Unsqueeze <axes = [0]> (g{n}) "
    "c{n} = Concat <axis = 0> (u{n}, four, four, four) {y} = Reshape ({x}, c{n})",
    "constant subgraphs": "a{n} = Mul (ones, ones) b{n} = Add (a{n}, ones) {y} = Mul ({x}, b{n})",
    "casts there and back": "a{n} = Cast <to = 11> ({x}) b{n} = Cast <to = 1> (a{n}) {y} = Relu (b{n})",
    "mixed types": "{y} = Mul ({x}, half)",
    "int64": "a{n} = Cast <to = 7> ({x}) b{n} = Mul (a{n}, four) {y} = Cast <to = 1> (b{n})",
    "dead ends": "a{n} = Tanh ({x}) b{n} = Sigmoid (a{n}) {y} = Relu ({x})",
    "branches": "{y} = If (t) <then_branch = g () => (float[N, 4, 4, 4] a{n}) {{ a{n} = Relu ({x}) }}, "
    "else_branch = h () => (float[N, 4, 4, 4] b{n}) {{ k{n} = Tanh ({x}) b{n} = Mul (k{n}, half) }}>",
    "read by all": "{y} = Relu (x0)",
}
"""One link of a chain each, from {x} to {y}."""


def model_of(link: str, count: int) -> onnx.ModelProto:
    """A chain of `count` links, and a node that reads what all of them make."""
    body = "\n".join(link.format(x=f"x{n}", y=f"x{n + 1}", n=n) for n in range(count))
    made = ", ".join(f"x{n + 1}" for n in range(count))
    interface = "g (float[N, 4, 4, 4] x0, bool t) => (float[M, 4, 4, 4] y)"
    return onnx.parser.parse_model(f"{HEAD}{interface} {STORED} {{ {body} y = Concat <axis = 0> ({made}) }}")


def repaired(model: onnx.ModelProto) -> None:
    """The whole way but for the child processes' C++."""
    inspect(light_proto(load(model)).SerializeToString())
    onnxfix.repair(model, verify="none", target="trt8.6")


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python were run; each round of a loop and of a comprehension counts."""
    count, before = 0, sys.gettrace()

    def note(_: FrameType, event: str, __: object) -> Any:
        nonlocal count
        count += event == "line"
        return note

    sys.settrace(note)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def peak(work: Callable[[], object]) -> int:
    """The most bytes that Python's objects took at one time."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def growth(measure: Callable[[Callable[[], object]], int], work: Callable[[int], object], count: int) -> float:
    """By how much the second doubling of a model costs more than the first: 2 where all is linear."""
    work(count)  # what is read once for all: schemas, rules, facts
    once, twice, fourfold = (measure(partial(work, times * count)) for times in (1, 2, 4))
    return (fourfold - twice) / (twice - once)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_work_is_linear(link: str) -> None:
    assert growth(steps, lambda count: repaired(model_of(link, count)), 20) < 2.05


def test_memory_is_linear() -> None:
    """Also where every graph inside a node sees all that the graph around it makes."""
    rules = load_rules()
    assert growth(peak, lambda count: look(load(model_of(LINKS["branches"], count)), rules, Options()), 100) < 2.3


DEEP = "g (float[N, 4, 4, 4] x, bool t) => (float[N, 4, 4, 4] y24)"


def proven(model: onnx.ModelProto, folder: Path, target: str = "trt10.13") -> onnx.ModelProto:
    """The repaired model, equal to the original in ONNX Runtime."""
    report = onnxfix.repair(model, folder / "repaired.onnx", verify="numeric", target=target)
    assert report.fixes and report.verdict.outcome == "passed", report.verdict
    return onnx.load(folder / "repaired.onnx")


def test_graphs_24_deep(tmp_path: Path) -> None:
    inner = 'y0 = Upsample <mode = "nearest"> (x, ones)'
    for depth in range(1, 25):
        inner = (
            f"y{depth} = If (t) <then_branch = g () => (float[N, 4, 4, 4] y{depth - 1}) {{ {inner} }}, "
            f"else_branch = h () => (float[N, 4, 4, 4] z{depth}) {{ z{depth} = Relu (x) }}>"
        )
    made = proven(onnx.parser.parse_model(f"{HEAD}{DEEP} {STORED} {{ {inner} }}"), tmp_path)
    node = made.graph.node[0]
    while node.op_type == "If":
        node = next(a for a in node.attribute if a.name == "then_branch").g.node[0]
    assert node.op_type == "Resize"


def test_a_name_of_a_million_characters(tmp_path: Path) -> None:
    model = model_of(LINKS["healthy"], 3)
    long = "n" * 1_000_000
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = model.graph.node[3].input[0] = long
    model.graph.node[1].name = long
    made = proven(model, tmp_path)
    names = [name for node in made.graph.node for name in (node.name, *node.input, *node.output)]
    assert max(map(len, names)) <= 4096


def test_wide_nodes(tmp_path: Path) -> None:
    """A node of 10,000 inputs, and one value that 5,000 nodes read, among them one that is repaired."""
    model = model_of(LINKS["read by all"], 5_000)
    joined = model.graph.node.pop()
    upsample = onnx.helper.make_node("Upsample", ["x0", "ones"], ["up"], mode="nearest")
    joined.input.extend(["up"] * 5_000)
    model.graph.node.extend([upsample, joined])
    made = proven(model, tmp_path)
    assert len(made.graph.node) == 5_002 and len(made.graph.node[-1].input) == 10_000
    assert made.graph.node[-2].op_type == "Resize"


@pytest.mark.parametrize(
    ("link", "most"), [("r{n} = Relu ({x}) {y} = Neg (u{n})", 2), ("{y} = Gather (u{n}, all)", KEPT_SESSIONS)]
)
def test_a_comparison_of_two_opsets_by_turns_needs_few_sessions(
    link: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes that mean the same in both opsets run with those before them; else sessions do not stay open."""
    text = 'u{n} = Upsample <mode = "nearest"> ({x}, ones) '
    model = model_of(text + link, KEPT_SESSIONS)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "all"))
    sessions: list[weakref.ref[Session]] = []
    open_at_once = [0]

    def counted(data: bytes) -> Session:
        session = Session(data)
        sessions.append(weakref.ref(session))
        open_at_once.append(sum(known() is not None for known in sessions))
        return session

    monkeypatch.setattr("onnxfix.verify.pieces.Session", counted)
    made = Pieces(load(model), ["y"]).run({"x0": np.ones((1, 4, 4, 4), np.float32)})["y"]
    assert made.shape == (KEPT_SESSIONS, 4, 4, 4) and max(open_at_once) <= most
