"""Sequences and optionals of known content: the same numbers with tensors only, which TensorRT-RTX takes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proving import builds, model_of, prove, reason

import onnxfix

rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs TensorRT-RTX")


@given(st.integers(-3, 2), st.lists(st.integers(1, 3), min_size=3, max_size=3), st.sampled_from([11, 13, 18, 24]))
@settings(max_examples=40, deadline=None)
def test_the_element_at_a_constant_position(position: int, sizes: list[int], opset: int) -> None:
    a, b, c = sizes
    text = f"""g (float[{a}] a, float[{b}] b, float[{c}] c) => (float[n] y) <int64 p = {{{position}}}>
    {{ s = SequenceConstruct(a, b, c) y = SequenceAt(s, p) }}"""
    made = prove(model_of(text, opset), "OFX770")
    assert made.graph.node[-1].op_type == "Identity"


@given(st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_inserts_and_erases_are_followed(steps: list[tuple[bool, int]], data: st.DataObject) -> None:
    """Against ONNX Runtime, which runs the sequence operators themselves."""
    lines, count, last = ["s0 = SequenceConstruct(x, z)"], 2, 0
    stored = []
    for number, (insert, wish) in enumerate(steps):
        if not insert and count == 1:
            continue
        position = max(-count, min(wish, count if insert else count - 1))
        given_ = data.draw(st.booleans())
        value = f", p{number}" if given_ else ""
        stored += [f"int64 p{number} = {{{position}}}"] if given_ else []
        arguments = f"s{last}, w{value}" if insert else f"s{last}{value}"
        lines.append(f"s{number + 1} = {'SequenceInsert' if insert else 'SequenceErase'}({arguments})")
        count, last = count + (1 if insert else -1), number + 1
    weights = f"<{', '.join(stored)}>" if stored else ""
    text = f"g (float[2] x, float[3] z, float[1] w) => (float[n] y) {weights} {{ {' '.join(lines)} "
    text += f"y = ConcatFromSequence <axis = 0> (s{last}) }}"
    prove(text, "OFX772")


@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from([0, 1, -1]),
    st.sampled_from(["list", "scalar", "none"]),
    st.booleans(),
    st.sampled_from([11, 13, 18]),
)
@settings(max_examples=60, deadline=None)
def test_splits(size: int, part: int, axis: int, how: str, keep: bool, opset: int) -> None:
    shape = f"{size},3" if axis == 0 else f"2,{size}"
    sizes = [min(part, size - start) for start in range(0, size, part)]
    stored = {
        "list": f"<int64[{len(sizes)}] p = {{{','.join(map(str, sizes))}}}, int64 q = {{-1}}>",
        "scalar": f"<int64 p = {{{part}}}, int64 q = {{-1}}>",
        "none": "<int64 q = {-1}>",
    }[how]
    given_ = "x" if how == "none" else "x, p"
    if how == "scalar" and not keep:  # the ONNX specification and ONNX Runtime do not agree
        keep = True
    squeezed = how == "none" and not keep
    text = f"g (float[{shape}] x) => (float[{'a' if squeezed else 'a,b'}] y) {stored} {{ "
    text += f"s = SplitToSequence <axis = {axis}, keepdims = {int(keep)}> ({given_}) y = SequenceAt(s, q) }}"
    prove(model_of(text, opset), "OFX773")


@pytest.mark.parametrize(("axis", "new"), [(0, 0), (-1, 0), (1, 0), (0, 1), (-1, 1), (2, 1), (-3, 1)])
def test_joins(axis: int, new: int) -> None:
    text = f"g (float[2,3] x, float[2,3] z) => (float[a,b{',c' * new}] y) {{ s = SequenceConstruct(x, z, x) "
    prove(text + f"y = ConcatFromSequence <axis = {axis}, new_axis = {new}> (s) }}", "OFX772")


def test_a_computed_position_takes_negative_ones_too() -> None:
    text = "g (float[2] x, float[2] z, int64 i) => (float[2] y) { s = SequenceConstruct(x, z) y = SequenceAt(s, i) }"
    x, z = np.array([1, np.nan], "f"), np.array([np.inf, 2], "f")
    prove(text, "OFX770", *({"x": x, "z": z, "i": np.array(i)} for i in (-2, -1, 0, 1)))


REFUSED = {
    "OFX770": "g (seq(float[2]) s, int64 i) => (float[2] y) { y = SequenceAt(s, i) }",
    "OFX771": "g (seq(float[2]) s) => (int64 y) { y = SequenceLength(s) }",
    "OFX772": "g (float[2] x) => (float[n] y) { s = SequenceEmpty() y = ConcatFromSequence <axis = 0> (s) }",
    "OFX773": "g (float[3] x, int64[2] p) => (seq(float[n]) y) { y = SplitToSequence(x, p) }",
    "OFX783": "g () => (float[2] y) { o = Optional <type = float[2]> () y = OptionalGetElement(o) }",
}


def test_reasons() -> None:
    assert "s has is known only when the model runs" in reason(REFUSED["OFX771"], "OFX771")
    assert "s has is known only when the model runs" in reason(REFUSED["OFX770"], "OFX770")
    assert "the sequence is empty" in reason(REFUSED["OFX772"], "OFX772")
    assert "the split is not a constant" in reason(REFUSED["OFX773"], "OFX773")
    outside = "g (float[2] x) => (float[2] y) <int64 p = {1}> { s = SequenceConstruct(x) y = SequenceAt(s, p) }"
    assert "the position 1 is outside the 1 elements" in reason(outside, "OFX770")


MODELS = {
    "chunk and stack": """g (float[N,6] x) => (float[N,2,3] y) <int64 three = {3}, int64 a = {0}, int64 b = {1}>
    { s = SplitToSequence <axis = 1> (x, three) p = SequenceAt(s, a) q = SequenceAt(s, b) m = Mul(p, q)
      l = SequenceConstruct(m, q) y = ConcatFromSequence <axis = 1, new_axis = 1> (l) }""",
    "mapped": """g (float[2] x, float[2] z) => (float[4] y, int64 n) { s = SequenceConstruct(x, z)
      m = SequenceMap(s, x) <body = b (float[2] e, float[2] f) => (float[2] o) { t = Exp(e) o = Add(t, f) }>
      n = SequenceLength(m) y = ConcatFromSequence <axis = 0> (m) }""",
    "an optional": """g (float[2] x, float[2] z) => (float[2] y) { o = Optional(x) h = OptionalHasElement(o)
      y = If (h) <then_branch = t () => (float[2] p) { p = OptionalGetElement(o) },
                  else_branch = e () => (float[2] q) { q = Identity(z) }> }""",
    "a list in a branch": """g (bool c, float[2] x, float[2] z) => (float[4] y) { s = SequenceConstruct(x, z)
      r = If (c) <then_branch = t () => (seq(float[2]) p) { p = SequenceInsert(s, x) },
                  else_branch = e () => (seq(float[2]) q) { n = Neg(z) q = SequenceConstruct(n, x, z) }>
      e = SequenceErase(r) y = ConcatFromSequence <axis = 0> (e) }""",
}


@rtx
@pytest.mark.parametrize("name", MODELS)
def test_whole_models_are_rescued(name: str, tmp_path: Path) -> None:
    proto = model_of(MODELS[name])
    assert not builds(proto)
    onnx.save(proto, tmp_path / "m.onnx")
    report = onnxfix.repair(tmp_path / "m.onnx", tmp_path / "out.onnx", target="rtx1.7")
    assert report.verdict.outcome == "passed", [check.reason for check in report.verdict.checks]
    assert not any("equence" in node.op_type for node in onnx.load(tmp_path / "out.onnx").graph.node)


@rtx
def test_sequences_at_the_interface(tmp_path: Path) -> None:
    text = """g (seq(float[n]) s, optional(float[2]) o, optional(float[2]) e) => (seq(float[n]) y, float[2] z, bool b)
    { y = SequenceInsert(s, z) z = OptionalGetElement(o) b = OptionalHasElement(e) }"""
    onnx.save(model_of(text), tmp_path / "m.onnx")
    rng = np.random.default_rng(3)
    arrays = {name: rng.normal(size=size).astype("f") for name, size in (("s[0]", 2), ("s[1]", 3), ("o", 2))}
    np.savez(tmp_path / "in.npz", **arrays)  # type: ignore[arg-type]  # numpy declares a keyword of its own first
    arguments = {"target": "rtx1.7", "inputs": tmp_path / "in.npz"}
    kept = onnxfix.repair(tmp_path / "m.onnx", tmp_path / "kept.onnx", **arguments)  # type: ignore[arg-type]
    assert not kept.interface
    report = onnxfix.repair(tmp_path / "m.onnx", tmp_path / "out.onnx", interface_changes=True, **arguments)  # type: ignore[arg-type]
    assert report.verdict.outcome == "passed", [check.reason for check in report.verdict.checks]
    graph = onnx.load(tmp_path / "out.onnx").graph
    assert sorted(value.name for value in graph.input) == ["o", "s[0]", "s[1]"]
    assert sorted(value.name for value in graph.output) == ["b", "y[0]", "y[1]", "y[2]", "z"]
    told = {change.name: change.after for change in report.interface}
    assert (told["s"], told["y"], told["e"]) == ("as tensors: s[0], s[1]", "as tensors: y[0], y[1], y[2]", "")
