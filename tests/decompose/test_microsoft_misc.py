"""Older and looser forms of standard operators against ONNX Runtime's kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.api.repair import repair
from onnxfix.model.model import Array
from tests.decompose.microsoft import fed, normal, one_node
from tests.decompose.proving import builds, evaluated, outcome_of, prove, reason, unsafe


@settings(max_examples=15, deadline=None)
@given(st.integers(-3, 3), st.integers(4, 9), st.integers(1, 3), st.booleans(), st.sampled_from(["int64", "float32"]))
def test_range(start: int, limit: int, step: int, lists: bool, dtype: str) -> None:
    shape = (1,) if lists else ()
    inputs = {name: np.full(shape, value, dtype) for name, value in zip("abc", (start, limit, step), strict=True)}
    prove(one_node("Range", inputs, {"y": ["N"]}), "OFX824", inputs)
    del inputs["c"]
    prove(one_node("Range", inputs, {"y": ["N"]}), "OFX824", inputs)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=4, max_size=4), st.booleans(), st.sampled_from(["constant", "edge", "reflect"])
)
def test_pad(pads: list[int], matrix: bool, mode: str) -> None:
    inputs: dict[str, Array] = {"x": normal(3, 4), "p": np.array([pads] if matrix else pads)}
    if mode == "constant":
        inputs["v"] = np.array([1.5], dtype=np.float32)
    prove(one_node("Pad", inputs, {"y": ["N", "M"]}, mode=mode), "OFX824", inputs)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(-4, 4), st.integers(0, 1))
def test_trilu(rows: int, columns: int, k: int, upper: int) -> None:
    inputs = {"x": normal(2, rows, columns), "k": np.array(k)}
    prove(one_node("Trilu", inputs, {"y": [2, rows, columns]}, upper=upper), "OFX823", inputs)


@pytest.mark.parametrize("opset", [16, 20])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str, opset: int) -> None:
    inputs = {"x": normal(1, 2, 4, 5), "p": np.tanh(normal(1, 3, 3, 2)) * 1.2}
    model = one_node("GridSample", inputs, {"y": [1, 2, 3, 3]}, opset, mode=mode, padding_mode="border")
    assert builds(prove(model, "OFX823", inputs))


def test_gather_nd() -> None:
    inputs = {"x": normal(3, 4, 2), "i": np.array([[0, 1], [-1, 3]])}
    prove(one_node("GatherND", inputs, {"y": [2, 2]}), "OFX823", inputs)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
def test_distances(metric: str) -> None:
    inputs = {"a": normal(5, 3), "b": normal(4, 3)}
    prove(one_node("CDist", inputs, {"y": [5, 4]}, metric=metric), "OFX825", inputs)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_expand_dims(axis: int) -> None:
    inputs = {"x": normal(3, 4), "a": np.array(axis, dtype=np.int32)}
    prove(one_node("ExpandDims", inputs, {"y": ["A", "B", "C"]}, stored=("a",)), "OFX825", fed(inputs, "a"))


@pytest.mark.parametrize(("axis", "step"), [(0, 1), (1, 2), (-1, 3)])
def test_unfold(axis: int, step: int) -> None:
    inputs = {"x": normal(4, 5, 6)}
    model = one_node("UnfoldTensor", inputs, {"y": ["A", "B", "C", "D"]}, dim=axis, size=3, step=step)
    prove(model, "OFX825", inputs)


def test_small_sums() -> None:
    inputs = {"x": normal(2, 3), "y": normal(3, 2).T.copy(), "g": normal(2, 1)}
    prove(one_node("GatedAdd", inputs, {"z": [2, 3]}), "OFX825", inputs)
    prove(one_node("SampleOp", {"x": normal(2)}, {"z": [2]}), "OFX825", {"x": normal(2)})


@pytest.mark.parametrize("op_type", ["ComplexMul", "ComplexMulConj"])
def test_complex_products(op_type: str) -> None:
    inputs = {"a": normal(3, 4, 2), "b": normal(4, 2)}
    result = outcome_of(one_node(op_type, inputs, {"y": [3, 4, 2]}), "OFX825").model.proto
    a, b = (inputs[name][..., 0] + 1j * inputs[name][..., 1] for name in "ab")
    wanted = a * (b if op_type == "ComplexMul" else b.conj())
    assert np.allclose(evaluated(result, inputs)[0], np.stack([wanted.real, wanted.imag], axis=-1), atol=1e-6)


def test_bias_add_and_a_dropout_that_trains() -> None:
    inputs = {"x": normal(1, 2, 3), "b": normal(3), "r": normal(1, 2, 3)}
    result = outcome_of(one_node("BiasAdd", inputs, {"y": [1, 2, 3]}), "OFX825").model.proto
    assert np.allclose(evaluated(result, inputs)[0], inputs["x"] + inputs["b"] + inputs["r"])
    inputs |= {"p": np.array(0.5, dtype=np.float32), "t": np.array(True)}
    assert "it trains" in reason(one_node("BiasDropout", inputs, {"y": [1, 2, 3]}, stored=("p", "t")), "OFX825")


GRID_SAMPLER = """<ir_version: 8, opset_import: ["" : 16, "mmdeploy" : 1]>
g (float[1,2,4,5] x, float[1,3,3,2] p) => (float[1,2,3,3] y)
{ y = mmdeploy.grid_sampler <interpolation_mode = 1, padding_mode = 2, align_corners = 0> (x, p) }"""


@pytest.mark.parametrize("domain", ["mmdeploy", "mmcv"])
@pytest.mark.parametrize("mode", range(3))
@pytest.mark.parametrize("padding", range(3))
@pytest.mark.parametrize("align", range(2))
def test_grid_sampler(domain: str, mode: int, padding: int, align: int) -> None:
    text = GRID_SAMPLER.replace("mmdeploy", domain).replace("_mode = 1", f"_mode = {mode}")
    prove(text.replace("_mode = 2", f"_mode = {padding}").replace("corners = 0", f"corners = {align}"), "OFX828")


def test_grid_sampler_in_tensorrt() -> None:
    assert not builds(GRID_SAMPLER)
    newer = GRID_SAMPLER.replace('"" : 16', '"" : 20').replace("ir_version: 8", "ir_version: 9")
    assert builds(prove(GRID_SAMPLER, "OFX828")) and builds(prove(newer, "OFX828"))
    older = GRID_SAMPLER.replace('"" : 16', '"" : 11')
    assert "rewritten at opset 16 and newer" in reason(older, "OFX822")


def test_grid_sampler_of_an_early_opset(tmp_path: Path) -> None:
    """As mmdeploy exports it: the model is converted, and then the node has its standard form."""
    text = GRID_SAMPLER.replace('"" : 16', '"" : 11').replace("ir_version: 8", "ir_version: 6")
    onnx.save(onnx.parser.parse_model(text), tmp_path / "early.onnx")
    report = repair(tmp_path / "early.onnx", tmp_path / "repaired.onnx", target="rtx1.7")
    assert report.unwritten == "" and builds(onnx.load(tmp_path / "repaired.onnx"))
    assert [fix.code for fix in report.fixes][-1] == "OFX828"


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_inverse(size: int, lead: tuple[int, ...]) -> None:
    x = normal(*lead, size, size) * 0.2 + np.eye(size, dtype=np.float32) * 2
    model = one_node("Inverse", {"x": x}, {"y": list(x.shape)}, 13)
    assert unsafe(model, "OFX825") == (size > 2)
    result = prove(model, "OFX825", {"x": x})
    assert np.allclose(evaluated(result, {"x": x})[0] @ x, np.eye(size), atol=1e-5)


def test_inverse_of_large_or_odd_matrices() -> None:
    assert "between 1 and 4" in reason(one_node("Inverse", {"x": normal(5, 5)}, {"y": [5, 5]}), "OFX825")
    assert "square" in reason(one_node("Inverse", {"x": normal(2, 3)}, {"y": [2, 3]}), "OFX825")
