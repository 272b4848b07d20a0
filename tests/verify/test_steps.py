"""Loops played step by step see what ONNX Runtime computes: a value of the body, over all steps, is what it stacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model import load
from onnxfix.verify.ranges import watch
from onnxfix.verify.steps import CannotStep, steps
from onnxfix.verify.watched import Range

ALIKE = ("low", "high", "smallest", "nan", "infinite", "denormal", "beyond_fp16")


def watched(text: str, version: int, **feeds: Any) -> dict[str, Range]:
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {version}]>\n{text}')
    found = watch(load(proto), feeds)
    assert not [why for _, why in found.skipped if "not watched" in why]
    return {value.name: value for value in found.values}


def alike(inside: Range, stacked: Range) -> None:
    assert [getattr(inside, name) for name in ALIKE] == [getattr(stacked, name) for name in ALIKE]


BODY = "body = b (float[2] v, float[2] s) => (float[2] u, float[2] o) { u = Add(v, s) o = Mul(u, s) }"


@settings(max_examples=40, deadline=None)
@given(st.integers(-2, 1), st.integers(0, 1), st.integers(1, 5), st.integers(0, 99))
def test_scan(axis: int, backwards: int, length: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (length, 2) if axis in (0, -2) else (2, length)
    text = f"""g (float[2] x, float[{shape[0]},{shape[1]}] y) => (float[2] z, float[k,2] w) {{ z, w = Scan
      <num_scan_inputs = 1, scan_input_axes = [{axis}], scan_input_directions = [{backwards}], {BODY}> (x, y) }}"""
    x, y = random.normal(size=2).astype(np.float32), (random.normal(size=shape) * 1e4).astype(np.float32)
    values = watched(text, 17, x=x, y=y)
    assert values["Scan_z/body/o"].runs == length
    alike(values["Scan_z/body/o"], values["w"])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 1), st.integers(0, 99))
def test_scan_of_opset_8(batch: int, length: int, backwards: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    text = f"""g (float[{batch},2] x, float[{batch},{length},2] y) => (float[{batch},2] z, float[{batch},{length},2] w)
    {{ z, w = Scan <num_scan_inputs = 1, directions = [{backwards}], {BODY}> ("", x, y) }}"""
    x, y = random.normal(size=(batch, 2)), random.normal(size=(batch, length, 2))
    values = watched(text, 8, x=x.astype(np.float32), y=y.astype(np.float32))
    assert values["Scan_z/body/o"].runs == batch * length
    alike(values["Scan_z/body/o"], values["w"])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.floats(1.5, 9), st.booleans(), st.integers(0, 99))
def test_loop(most: int, end: float, counted: bool, seed: int) -> None:
    text = """g (float[2] x, int64 n, float e) => (float[2] z, float[k,2] w) <bool yes = {1}>
    { z, w = Loop (MOST, yes, x) <body = b (int64 i, bool go, float[2] v) => (bool next, float[2] u, float[2] s)
      { f = Cast<to = 1>(i) a = Abs(v) g = Add(f, a) s = Add(g, a) u = Neg(s)
        m = ReduceMax<keepdims = 0>(s) next = Less(m, e) }> }"""
    x = 1 + np.abs(np.random.default_rng(seed).normal(size=2)).astype(np.float32)
    text = text.replace("MOST", "n" if counted else '""')
    values = watched(text, 17, x=x, n=np.array(most), e=np.array(end * 10, np.float32))
    assert values["Loop_z/body/s"].runs == values["w"].shape[0]
    alike(values["Loop_z/body/s"], values["w"])


def test_sequence_map() -> None:
    text = """g (seq(float[2]) q, float[2] x) => (seq(float[2]) z) { z = SequenceMap (q, x) <body =
      b (float[2] e, float[2] k) => (float[2] o) { d = Sub(e, k) o = Log(d) }> }"""
    q = [np.array([5, 6], np.float32), np.array([7, 1], np.float32)]
    values = watched(text, 17, q=q, x=np.array([1, 2], np.float32))
    assert (values["SequenceMap_z/body/d"].low, values["SequenceMap_z/body/d"].high) == (-1, 6)
    assert (values["SequenceMap_z/body/o"].nan, values["SequenceMap_z/body/o"].flawed_run) == (1, 1)


def test_a_sequence_that_begins_empty() -> None:
    text = """g (float[2] x, bool c) => (seq(float[2]) z) <int64 n = {3}>
    { e = SequenceEmpty () z = Loop (n, c, e) <body = b (int64 i, bool go, seq(float[2]) v) =>
      (bool next, seq(float[2]) u) { next = Identity(go) f = Cast<to = 1>(i) s = Mul(x, f)
        u = SequenceInsert(v, s) }> }"""
    values = watched(text, 17, x=np.array([1, 2], np.float32), c=np.array(True))
    assert (values["Loop_z/body/s"].runs, values["Loop_z/body/s"].high) == (3, 4)


def test_a_node_of_another_kind_is_told() -> None:
    with pytest.raises(CannotStep, match="how Foo runs its graphs is not known"):
        steps(onnx.helper.make_node("Foo", ["x"], ["y"]), 17, {"x": 1})
