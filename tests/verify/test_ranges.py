"""Every value is watched: what is not finite, what float16 and int32 cannot hold, and outputs that are dead."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import onnxfix
from onnxfix.errors import OnnxfixError
from onnxfix.report.ranges import drawing, range_lines
from onnxfix.verify import layers
from onnxfix.verify.figures import figures_of

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
FLOWS = """g (float[2,3] x, int64[2] n) => (float[2,3] y, float[2,3] z, int64[2] k)
<float big = {1000000}, float tiny = {1e-40}, float one = {1}, int64 shift = {4294967296}>
{ a = Abs(x) [large] s = Mul(a, big) [small] t = Mul(a, tiny) m = Neg(a) [bad] l = Log(m) y = Add(l, s)
  e = Sub(t, t) z = Add(e, one) k = Mul(n, shift) }"""


@pytest.fixture
def report(tmp_path: Path) -> onnxfix.RangeReport:
    inputs = tmp_path / "in.npz"
    np.savez(inputs, x=np.full((2, 3), 2, np.float32), n=np.array([1, 2]))
    return onnxfix.watch(onnx.parser.parse_model(HEAD + FLOWS), inputs)


def test_what_is_found(report: onnxfix.RangeReport) -> None:
    found = report.watch
    assert [value.name for value in found.values] == ["a", "s", "t", "m", "l", "y", "e", "z", "k"]
    assert found.first is not None and (found.first.name, found.first.flaw, found.first.nan) == ("l", "NaN", 6)
    assert list(found.keep_fp32) == ["large", "small"]
    assert "float16 ends at 65504" in found.keep_fp32["large"]
    by_name = {value.name: value for value in found.values}
    assert (by_name["s"].low, by_name["s"].high, by_name["s"].beyond_fp16) == (2e6, 2e6, 6)
    assert by_name["t"].denormal == 6 and by_name["k"].beyond_int32 == 2
    assert found.dead == ("z",)
    assert report.exit_code == 1 and not report.seeded


def test_the_report_for_people_and_programs(report: onnxfix.RangeReport) -> None:
    text = "\n".join("".join(p if isinstance(p, str) else p[0] for p in line) for line in range_lines(report))
    for words in ("first not finite: l, made by Log bad: 6 elements NaN", "keep in float32: large", "output z", "k: "):
        assert words in text
    document = report.to_json()
    assert document["first_not_finite"] == "l" and len(document["values"]) == 9
    picture = ElementTree.fromstring(drawing(report))
    assert len(picture.findall("{http://www.w3.org/2000/svg}rect")) == 9  # the paper, and all values but k


def test_parts_of_bounded_size_see_the_same(report: onnxfix.RangeReport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "CHUNK_VALUES", 2)
    again = onnxfix.watch(onnx.parser.parse_model(HEAD + FLOWS))
    assert [value.name for value in again.watch.values] == [value.name for value in report.watch.values]
    assert again.seeded


def test_a_sound_model() -> None:
    report = onnxfix.watch(onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = Tanh(x) }"))
    assert report.exit_code == 0 and not report.watch.keep_fp32 and not report.watch.dead


def test_a_model_that_does_not_run() -> None:
    model = onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = NoSuchThing(x) }")
    with pytest.raises(OnnxfixError, match="ONNX Runtime does not run it"):
        onnxfix.watch(model)


def test_inputs_that_do_not_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.zeros((3,), np.float32))
    model = onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = Tanh(x) }")
    with pytest.raises(OnnxfixError, match="shape"):
        onnxfix.watch(model, tmp_path / "in.npz")


FLOATS = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(st.sampled_from([np.float16, np.float32, np.float64]), FLOATS))
def test_figures_are_those_of_the_array(array: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        found = figures_of(array)
        assert found.get("nan", 0) == np.isnan(array).sum() and found.get("infinite", 0) == np.isinf(array).sum()
        finite = array[np.isfinite(array)]
        if finite.size:
            assert (found["low"], found["high"]) == (float(finite.min()), float(finite.max()))
            assert found.get("beyond_fp16", 0) == (np.abs(finite.astype(np.float64)) > 65504).sum()
            assert found["constant"] == bool(array.size > 1 and np.isfinite(array).all() and np.ptp(finite) == 0)
