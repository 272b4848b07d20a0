"""Values of graphs inside nodes and of functions are watched too, at every step."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model import load
from onnxfix.model.scope import scopes_of
from onnxfix.verify import units
from onnxfix.verify.figures import figures_of, merged
from onnxfix.verify.ranges import watch
from onnxfix.verify.watched import Range, Watch
from onnxfix.verify.watching import watch_here

HEAD = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]>\n'
LOOP = """g (float[2] x, int64 n, bool c) => (float[2] z) <float big = {1000}>
{ a = Abs(x) [l] z = Loop (n, c, a) <body = b (int64 i, bool go, float[2] v) => (bool next, float[2] u)
  { next = Identity(go) [grow] s = Mul(v, big) t = Neg(s) u = Neg(t) }> }"""
IF = """g (float[2] x, bool c) => (float[2] z)
{ a = Abs(x) [f] z = If (c) <then_branch = t () => (float[2] u) { b = Neg(a) [bad] u = Log(b) },
  else_branch = e () => (float[2] v) { v = Exp(a) }> }"""


def seen(text: str, **feeds: Any) -> Watch:
    return watch(load(onnx.parser.parse_model(HEAD + text)), feeds)


def by_name(found: Watch) -> dict[str, Range]:
    return {value.name: value for value in found.values}


X = np.array([1, 2], np.float32)


def test_a_loop_is_watched_at_every_step() -> None:
    found = seen(LOOP, x=X, n=np.array(3), c=np.array(True))
    values = by_name(found)
    assert list(values) == ["a", "l/body/next", "l/body/s", "l/body/t", "l/body/u", "z"]
    s = values["l/body/s"]
    assert (s.low, s.high, s.runs, s.node, s.op_type, s.beyond_fp16) == (1e3, 2e9, 3, "l/body/grow", "Mul", 4)
    assert found.first is None and "l/body/grow" in found.keep_fp32 and not found.skipped


def test_the_step_in_which_it_overflows() -> None:
    found = seen(LOOP, x=X, n=np.array(14), c=np.array(True))
    assert found.first is not None
    assert (found.first.name, found.first.flaw) == ("l/body/s", "infinity")
    assert found.first.flawed_run == 12  # 1000 ** 13 is beyond float32


def test_a_loop_that_ends_by_its_condition() -> None:
    text = """g (float[2] x) => (float[2] z, float[k,2] w) <bool yes = {1}, float end = {5}> { z, w = Loop ("", yes, x)
      <body = b (int64 i, bool go, float[2] v) => (bool next, float[2] u, float[2] s)
      { s = Add(v, v) u = Identity(s) m = ReduceMax<keepdims = 0>(s) next = Less(m, end) }> }"""
    values = by_name(seen(text, x=X))
    assert values["Loop_z/body/s"].runs == 2 and values["Loop_z/body/s"].high == 8
    assert values["Loop_z/body/m"].low == 4


def test_the_branch_that_runs() -> None:
    found = seen(IF, x=X, c=np.array(True))
    assert found.first is not None
    assert (found.first.name, found.first.node, found.first.flaw) == ("f/then_branch/u", "f/then_branch/bad", "NaN")
    assert ("f/else_branch", "it did not run") in found.skipped
    other = seen(IF, x=X, c=np.array(False))
    assert other.first is None and "f/else_branch/v" in by_name(other)


def test_graphs_in_graphs_and_values_from_outside() -> None:
    text = """g (float[2] x, int64 n, bool c) => (float[2] z) <float[2] w = {3,4}>
    { k = Mul(x, w) z = Loop (n, c, x) <body = b (int64 i, bool go, float[2] v) => (bool next, float[2] u)
      { next = Identity(go) [f] u = If (go) <then_branch = t () => (float[2] p) { q = Add(v, k) p = Add(q, w) },
        else_branch = e () => (float[2] r) { r = Neg(v) }> }> }"""
    values = by_name(seen(text, x=X, n=np.array(2), c=np.array(True)))
    assert (values["Loop_z/body/f/then_branch/q"].low, values["Loop_z/body/f/then_branch/q"].high) == (4, 22)
    assert values["Loop_z/body/f/then_branch/p"].runs == 2


@pytest.mark.parametrize(("more", "order"), [("", (0, 1, 2)), (", scan_input_directions = [1]", (2, 1, 0))])
def test_scan(more: str, order: tuple[int, ...]) -> None:
    text = f"""g (float[2] x, float[2,3] y) => (float[2] z, float[k,2] w) {{ z, w = Scan
      <num_scan_inputs = 1, scan_input_axes = [-1]{more}, body = b (float[2] v, float[2] s) => (float[2] u, float[2] o)
      {{ u = Mul(v, s) o = Log(u) }}> (x, y) }}"""
    y = np.array([[1, 2, 3], [4, 5, -6]], np.float32)
    found = seen(text, x=X, y=y)
    assert found.first is not None and found.first.name == "Scan_z/body/o"
    assert found.first.flawed_run == order.index(2)
    assert by_name(found)["Scan_z/body/u"].runs == 3


def test_a_function_and_its_attributes() -> None:
    text = """g (float[2] x) => (float[2] z) { a = Abs(x) [call] z = own.f <k = -2.0> (a) }
    <domain: "own", opset_import: ["" : 15]> f <k> (v, w) => (u) { c = Constant <value_float: float = @k> ()
      m = Mul(v, c) l = Clip(m, w) u = Log(l) }"""
    found = seen(text, x=X)
    assert found.first is not None and (found.first.name, found.first.op_type) == ("call/u", "Log")
    assert by_name(found)["call/m"].low == -4


def test_the_first_in_the_order_of_running() -> None:
    """In the second step the second value of the body overflows; the first one only in the third."""
    text = """g (float[1] x, int64 n, bool c) => (float[1] z) <float ten = {1e10}, float much = {1e25}>
    { z = Loop (n, c, x) <body = b (int64 i, bool go, float[1] v) => (bool next, float[1] u)
      { next = Identity(go) u = Mul(v, ten) w = Mul(v, much) }> y = Log(z) }"""
    found = seen(text, x=np.array([1], np.float32), n=np.array(5), c=np.array(True))
    assert found.first is not None and (found.first.name, found.first.flawed_run) == ("Loop_z/body/w", 2)
    assert by_name(found)["Loop_z/body/u"].flawed_run == 3


@pytest.fixture
def main_runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sandbox's work is done in this process; gets how many values each run of a session gives."""

    class Here:
        def call(self, function: str, *arguments: Any, **_: object) -> Any:
            module, name = function.split(":")
            return getattr(import_module(module), name)(*arguments)

    runs: list[int] = []
    real = units.Session.run

    def counted(self: units.Session, feeds: Any, only: Any = None) -> Any:
        runs.append(len(only or self.outputs))
        return real(self, feeds, only)

    monkeypatch.setattr("onnxfix.sandbox.default", Here)
    monkeypatch.setattr(units.Session, "run", counted)
    return runs


def test_few_values_at_a_time_see_the_same(main_runs: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = seen(LOOP, x=X, n=np.array(5), c=np.array(True))
    assert max(main_runs) > 1
    main_runs.clear()
    monkeypatch.setattr(units, "_MOST_BYTES", 0)
    monkeypatch.setattr(units, "_TOGETHER", 1)
    assert seen(LOOP, x=X, n=np.array(5), c=np.array(True)).values == whole.values
    assert len(main_runs) > 5 * 4


@pytest.mark.parametrize(("size", "parts"), [("4", [2000]), ("N", [64, 128, 256, 512, 1024, 16])])
def test_many_small_values_take_few_runs(size: str, parts: list[int], main_runs: list[int]) -> None:
    """Each run computes the whole graph: parts of a fixed number would make the work quadratic in the nodes."""
    body = " ".join(f"v{n + 1} = Relu (v{n})" for n in range(2000))
    found = seen(f"g (float[{size}] v0) => (float[{size}] v2000) {{ {body} }}", v0=np.ones(4, np.float32))
    assert len(found.values) == 2000
    assert main_runs == parts


def test_large_values_are_seen_one_after_the_other(main_runs: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """16 bytes each: two are as much as is allowed at a time, known before or measured."""
    monkeypatch.setattr(units, "_MOST_BYTES", 32)
    monkeypatch.setattr(units, "_TOGETHER", 4)
    body = " ".join(f"v{n + 1} = Relu (v{n})" for n in range(8))
    for size, parts in (("4", [2, 2, 2, 2]), ("N", [4, 2, 1, 1])):
        main_runs.clear()
        seen(f"g (float[{size}] v0) => (float[{size}] v8) {{ {body} }}", v0=np.ones(4, np.float32))
        assert main_runs == parts


def test_what_cannot_be_entered_is_told() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (seq(float[2]) q, int64 n, bool c, float[2] x) => (float[2] z)
    { [l] z = Loop (n, c, x) <body = b (int64 i, bool go, float[2] v) => (bool next, float[2] u)
      { next = Identity(go) s = SequenceAt(q, i) u = Add(v, s) }> }"""
    proto = onnx.parser.parse_model(text)
    full = watch(load(proto), {"q": [X, X], "n": np.array(2), "c": np.array(True), "x": X})
    assert by_name(full)["l/body/s"].runs == 2
    empty = watch(load(proto), {"q": [], "n": np.array(0), "c": np.array(True), "x": X})
    assert ("l/body", "it did not run") in empty.skipped


def test_weights_in_files(tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(HEAD + IF.replace("Neg(a)", "Mul(a, w)"))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.full(2, -3, np.float32), "w"))
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="m.data")
    found = watch(load(tmp_path / "m.onnx"), {"x": X, "c": np.array(True)})
    assert by_name(found)["f/then_branch/b"].low == -6


PIECES = st.lists(st.lists(st.sampled_from([0.0, 1.0, -3.5, 1e-40, 7e5, np.nan, np.inf]), max_size=3), min_size=1)


@settings(max_examples=80, deadline=None)
@given(PIECES)
def test_figures_of_parts_are_those_of_the_whole(pieces: list[list[float]]) -> None:
    arrays = [np.array(piece, np.float32) for piece in pieces]
    found = figures_of(arrays[0])
    for array in arrays[1:]:
        found = merged(found, figures_of(array))
    whole = figures_of(np.concatenate(arrays))
    for name in ("low", "high", "smallest", "nan", "infinite", "denormal", "beyond_fp16", "beyond_int32"):
        assert found.get(name, 0) == whole.get(name, 0), name


CALLS = " ".join(f"v{n + 1} = own.f (v{n})" for n in range(40))
CHAIN = f"g (float[2] v0) => (float[2] v40) {{ {CALLS} }}"
CHAIN += '<domain: "own", opset_import: ["" : 17]> f (v) => (u) { u = Neg(v) }'


@pytest.mark.parametrize(("most", "fewer"), [(units._MOST_BYTES, 8), (0, 42)])
def test_small_borders_are_read_together(
    most: int, fewer: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading what 40 calls take runs the main graph 6 times, not 40; and one by one where that is much."""
    runs = 0
    real = units.Session.run

    def counted(self: units.Session, feeds: Any, only: Any = None) -> Any:
        nonlocal runs
        runs += "v40" in self.outputs
        return real(self, feeds, only)

    monkeypatch.setattr(units.Session, "run", counted)
    monkeypatch.setattr(units, "_MOST_BYTES", most)
    model, asked = load(onnx.parser.parse_model(HEAD + CHAIN)), {(): [("v1", 8), ("v40", 8)]}
    onnx.save(units.shown(scopes_of(model)[0], model, asked, True).proto, tmp_path / "m.onnx")
    found = watch_here(str(tmp_path / "m.onnx"), asked, [{"v0": X}], "figures")
    assert len([seen for seen in found.seen if seen.scope]) == 40
    assert fewer - 4 <= runs <= fewer


MASK_INSIDE = """g (float[2] x, bool c) => (float[2] z) <float one = {1}>
{ [f] z = If (c) <then_branch = t () => (float[2] u) { u = Mul(x, low) },
  else_branch = e () => (float[2] v) { [bad] v = Log(x) }> }"""


@pytest.mark.parametrize(("branch", "first"), [(True, ""), (False, "f/else_branch/v")])
def test_infinity_that_a_graph_inside_hands_on_is_not_made_by_its_node(branch: bool, first: str) -> None:
    model = onnx.parser.parse_model(HEAD + MASK_INSIDE)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(-np.inf, np.float32), "low"))
    found = watch(load(model), {"x": np.array([0, 2], np.float32) if not branch else X, "c": np.array(branch)})
    assert (found.first.name if found.first else "") == first
    assert bool(found.handed_on) == branch
