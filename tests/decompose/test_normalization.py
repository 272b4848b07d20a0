"""BatchNormalization in training mode, and Dropout, against ONNX Runtime and TensorRT-RTX."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, evaluated, outcome_of, prove, reason, unsafe

_KINDS = {"float": np.float32, "double": np.float64, "float16": np.float16}


def batch_norm(dims: list[str], dtype: str, opset: int, momentum: float, outputs: str) -> str:
    mode = "training_mode = 1," if opset >= 14 else ""
    results = {"y": f"{dtype}[{','.join(dims)}]", "rm": f"{dtype}[3]", "rv": f"{dtype}[3]"}
    wanted = [name for name in outputs.split(",") if name in results]
    made = outputs if opset >= 14 else f"{outputs},sm,sv"
    return f"""<ir_version: 8, opset_import: ["" : {opset}]>
g ({dtype}[{",".join(dims)}] x, {dtype}[3] s, {dtype}[3] b, {dtype}[3] m, {dtype}[3] v)
  => ({", ".join(f"{results[name]} {name}" for name in wanted)})
{{ {made} = BatchNormalization <{mode} momentum = {momentum}, epsilon = 0.01> (x, s, b, m, v) }}"""


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 4),
    spatial=st.lists(st.integers(1, 4), max_size=3),
    dtype=st.sampled_from(["float", "double"]),
    momentum=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    known=st.booleans(),
    opset=st.sampled_from([14, 15, 18]),
)
def test_statistics_of_the_batch(
    batch: int, spatial: list[int], dtype: str, momentum: float, known: bool, opset: int
) -> None:
    shape = [batch, 3, *spatial]
    dims = [str(size) if known or place == 1 else f"D{place}" for place, size in enumerate(shape)]
    random = np.random.default_rng(0)
    values = random.normal(3, 2, shape).astype(_KINDS[dtype])
    feed = {"x": values, **{name: random.normal(size=3).astype(_KINDS[dtype]) for name in "sbm"}}
    feed["v"] = random.uniform(0.5, 2, 3).astype(_KINDS[dtype])
    prove(batch_norm(dims, dtype, opset, momentum, "y,rm,rv"), "OFX701", feed)


@pytest.mark.parametrize("opset", [7, 9, 13])
def test_five_outputs_are_training_before_opset_14(opset: int) -> None:
    prove(batch_norm(["N", "3", "H"], "float", opset, 0.9, "y,rm,rv"), "OFX701")


def test_an_output_is_left_out() -> None:
    result = prove(batch_norm(["N", "3", "H"], "float", 15, 0.9, "y"), "OFX701")
    assert [value.name for value in result.graph.output] == ["y"]


def test_statistics_in_tensorrt() -> None:
    text = batch_norm(["N", "3", "H", "W"], "float", 15, 0.9, "y,rm,rv")
    assert not builds(text)
    assert builds(prove(text, "OFX701"))


def test_halves_are_computed_in_float() -> None:
    text = """<ir_version: 8, opset_import: ["" : 15]>
g (float16[N,3,H] x, float16[3] s, float16[3] b, float[3] m, float[3] v) => (float16[N,3,H] y, float[3] rm, float[3] rv)
{ y, rm, rv = BatchNormalization <training_mode = 1> (x, s, b, m, v) }"""
    outcome = outcome_of(text, "OFX701")
    assert outcome.journal and not outcome.complaint
    random = np.random.default_rng(0)
    feed = {"x": random.normal(900, 9, (4, 3, 50)).astype(np.float16)}  # its squares are no float16 numbers
    feed |= {name: np.array([1, 2, 3], dtype=np.float16 if name in "sb" else np.float32) for name in "sbmv"}
    y, _, variance = evaluated(outcome.model.proto, feed)
    x = feed["x"].astype(np.float64)
    spread = x.var(axis=(0, 2))
    expected = (x - x.mean(axis=(0, 2))[:, None]) / np.sqrt(spread + 1e-5)[:, None] * [[1], [2], [3]] + [[1], [2], [3]]
    np.testing.assert_allclose(y.astype(np.float64), expected, rtol=5e-3, atol=5e-3)
    np.testing.assert_allclose(variance, 0.9 * feed["v"] + 0.1 * spread, rtol=1e-4)


def test_inference_is_left_alone() -> None:
    assert reason("""g (float[2,3,4] x, float[3] s, float[3] b, float[3] m, float[3] v) => (float[2,3,4] y)
{ y = BatchNormalization (x, s, b, m, v) }""", "OFX701") == ""  # fmt: skip


def test_saved_statistics_are_left_alone() -> None:
    text = """<ir_version: 4, opset_import: ["" : 9]>
g (float[2,3,4] x, float[3] s, float[3] b, float[3] m, float[3] v) => (float[2,3,4] y, float[3] sm)
{ y, rm, rv, sm, sv = BatchNormalization (x, s, b, m, v) }"""
    assert "not specified" in reason(text, "OFX701")


@pytest.mark.parametrize("constants", ["", "<bool t = {0}, float r = {0.5}>", "<bool t = {1}, float r = {0}>"])
@pytest.mark.parametrize("shape", ["2,3", "N,M"])
def test_dropout_that_drops_nothing(constants: str, shape: str) -> None:
    inputs = "x, r, t" if constants else "x"
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
g (float[{shape}] x) => (float[{shape}] y, bool[{shape}] mask) {constants} {{ y, mask = Dropout ({inputs}) }}"""
    feed = np.array([[1, np.nan, np.inf], [0, -np.inf, 2]], dtype=np.float32)
    assert builds(prove(text, "OFX702", {"x": feed}))


def test_dropout_with_ratio_zero_whatever_the_mode() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
g (float[2] x, bool t) => (float[2] y) <float r = {0}> { y = Dropout (x, r, t) }"""
    assert not builds(text)
    prove(text, "OFX702")


def test_random_dropout_is_unsafe() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
g (float[2] x) => (float[2] y) <float r = {0.5}, bool t = {1}> { y = Dropout (x, r, t) }"""
    assert unsafe(text, "OFX702")
    assert unsafe(text.replace("(x, r, t)", '(x, "", t)'), "OFX702")


def test_dropout_of_an_unknown_mode_is_left_alone() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
g (float[2] x, bool t) => (float[2] y) { y = Dropout (x, "", t) }"""
    assert "only known when the model runs" in reason(text, "OFX702")


@pytest.mark.parametrize("opset", [7, 10])
def test_the_mask_of_an_old_dropout_is_left_alone(opset: int) -> None:
    kind = "float" if opset < 10 else "bool"
    text = f"""<ir_version: 4, opset_import: ["" : {opset}]>
g (float[2] x) => (float[2] y, {kind}[2] mask) {{ y, mask = Dropout (x) }}"""
    assert "not specified" in reason(text, "OFX702")
