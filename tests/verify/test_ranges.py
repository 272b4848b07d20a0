"""Every value is watched: what is not finite, what float16 and int32 cannot hold, and outputs that are dead."""

from __future__ import annotations

import json
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
    assert list(found.keep_fp32) == ["large", "small", "y", "e"]
    assert found.keep_fp32["y"] == "it reads s, which reaches 2e+06, and float16 ends at 65504"
    assert found.keep_fp32["e"] == "it reads t, which stays below 6e-08, which is 0 in float16"
    assert "float16 ends at 65504" in found.keep_fp32["large"]
    by_name = {value.name: value for value in found.values}
    assert (by_name["s"].low, by_name["s"].high, by_name["s"].beyond_fp16) == (2e6, 2e6, 6)
    assert by_name["t"].denormal == 6 and by_name["k"].beyond_int32 == 2
    assert found.dead == ("z",)
    assert report.exit_code == 1 and not report.seeded


def test_readers_of_inputs_stored_tensors_and_outer_values(tmp_path: Path) -> None:
    text = """g (float[2] x, bool c) => (float[2] z) <float[2] mask = {0, -3e38}>
    { [first] a = Neg(x) [second] b = Add(a, mask) r = Sigmoid(b)
      [if] z = If(c) <then_branch = t () => (float[2] u) { [inner] u = Sub(r, a) },
                      else_branch = e () => (float[2] v) { v = Abs(r) }> }"""
    np.savez(tmp_path / "in.npz", x=np.full(2, 1e6, np.float32), c=np.array(True))
    kept = onnxfix.watch(onnx.parser.parse_model(HEAD + text), tmp_path / "in.npz").watch.keep_fp32
    assert set(kept) == {"first", "second", "r", "if", "if/then_branch/inner"}
    assert kept["if/then_branch/inner"].startswith("it reaches") and kept["r"].startswith("it reads b, which reaches")
    np.savez(tmp_path / "in.npz", x=np.ones(2, np.float32), c=np.array(True))
    kept = onnxfix.watch(onnx.parser.parse_model(HEAD + text), tmp_path / "in.npz").watch.keep_fp32
    assert set(kept) == {"second", "r"}


def test_the_report_for_people_and_programs(report: onnxfix.RangeReport) -> None:
    text = "\n".join("".join(p if isinstance(p, str) else p[0] for p in line) for line in range_lines(report))
    for words in ("first not finite: l, made by Log bad: 6 elements NaN", "output z", "k: "):
        assert words in text
    assert "must stay in float32: 4 nodes" in text and "keep in float32: large: it reaches 2e+06" in text
    document = report.to_json()
    assert document["first_not_finite"] == "l" and len(document["values"]) == 9
    picture = ElementTree.fromstring(drawing(report))
    space = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f"{space}rect")) == 9  # the paper, and all values but k
    titles = {title.text.split(":")[0]: title.text for title in picture.iter(f"{space}title") if title.text}
    assert "keep in float32: it reaches 2e+06" in titles["s"] and titles["l"].endswith("NaN")
    legend = {text.text: text.get("fill") for text in picture.findall(f"{space}text")}
    bars = {title.text: bar.get("fill") for bar in picture.findall(f"{space}rect") for title in bar}
    assert bars[titles["s"]] == legend["keep in float32"] != legend["float16 can hold it"] == bars[titles["a"]]


def test_the_json_is_as_its_schema_says(report: onnxfix.RangeReport) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(__file__).parents[2] / "docs" / "check.schema.json").read_text())
    document = {"models": [], "errors": [], "statistics": {}, "exit_code": 1, "runs": [report.to_json()]}
    jsonschema.validate(json.loads(json.dumps(document)), schema)
    assert set(document["runs"][0]["keep_fp32"]) == {"large", "small", "y", "e"}
    by_name = {value["name"]: value for value in document["runs"][0]["values"]}
    assert "float16 ends at 65504" in by_name["s"]["keep_fp32"] and by_name["a"]["keep_fp32"] == ""


@pytest.mark.parametrize(
    ("go", "words"),
    [
        (True, "first not finite: l/body/u, made by Mul l/body/grow: 2 elements infinity, first in run 4 of 5"),
        (False, "not watched: l/body: it did not run"),
    ],
)
def test_what_is_inside_a_loop_is_told(go: bool, words: str, tmp_path: Path) -> None:
    text = """g (float[1] x, bool c) => (float[1] z) <int64 n = {5}, float ten = {1e10}>
    { a = Exp(x) [l] z = Loop (n, c, a) <body = b (int64 i, bool go, float[1] v) => (bool next, float[1] u)
      { next = Identity(go) [grow] u = Mul(v, ten) }> }"""
    np.savez(tmp_path / "in.npz", x=np.zeros(1, np.float32), c=np.array(go))
    report = onnxfix.watch(onnx.parser.parse_model(HEAD + text), tmp_path / "in.npz")
    said = "\n".join("".join(p if isinstance(p, str) else p[0] for p in line) for line in range_lines(report))
    assert words in said and ("keep in float32: l/body/grow: it reaches 1e+30" in said) == go


def test_a_sound_model() -> None:
    report = onnxfix.watch(onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = Tanh(x) }"))
    assert report.exit_code == 0 and not report.watch.keep_fp32 and not report.watch.dead


def test_a_model_that_does_not_run() -> None:
    model = onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = NoSuchThing(x) }")
    with pytest.raises(OnnxfixError, match=r"^g: ONNX Runtime does not run it"):
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


def test_inputs_of_narrow_types_have_figures_too() -> None:
    text = '<ir_version: 9, opset_import: ["" : 19]> g (float8e5m2[4] x) => (float16[4] y) { y = Cast <to = 10> (x) }'
    assert onnxfix.watch(onnx.parser.parse_model(text)).watch.values[0].name == "y"
    for name in ("float8_e5m2", "float8_e4m3fn", "bfloat16"):
        figures = figures_of(np.array([0.5, -2, 0, np.nan], np.float32).astype(name))
        assert (figures["low"], figures["high"], figures["nan"], figures["smallest"]) == (-2, 0.5, 1, 0.5)


def test_inputs_that_nobody_can_make_up_are_told_with_their_model(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    onnx.save(
        onnx.parser.parse_model(HEAD + "g (optional(float[3]) o) => (bool y) { y = OptionalHasElement(o) }"), file
    )
    with pytest.raises(OnnxfixError, match=r"m\.onnx: input 'o' is an optional, so no values can be made up for it"):
        onnxfix.watch(file)


MASKED = """g (float[2,2] x, bool[2,2] m) => (float[2,2] y) <float none = {0}>
{ low = Constant <value_float = -inf> () k = Where(m, none, low) [add] a = Add(x, k) [soft] s = Softmax(a)
  y = Neg(s) }"""


def masked(tmp_path: Path, mask: list[list[bool]]) -> onnxfix.RangeReport:
    model = onnx.parser.parse_model(HEAD + MASKED.replace("-inf", "0.0"))
    model.graph.node[0].attribute[0].f = -np.inf
    np.savez(tmp_path / "in.npz", x=np.ones((2, 2), np.float32), m=np.array(mask))
    return onnxfix.watch(model, tmp_path / "in.npz")


def test_a_mask_of_infinity_is_handed_on_and_not_made(tmp_path: Path) -> None:
    report = masked(tmp_path, [[True, False], [True, True]])
    assert report.watch.first is None and report.exit_code == 0 and report.watch.handed_on == ("k", "a")
    said = ["".join(piece if isinstance(piece, str) else piece[0] for piece in line) for line in range_lines(report)]
    assert said[1].startswith("not finite from the start: k, a; inputs or stored tensors hold")


def test_nan_that_a_mask_makes_is_found_where_it_comes_up(tmp_path: Path) -> None:
    """A row that is masked as a whole."""
    first = masked(tmp_path, [[False, False], [True, True]]).watch.first
    assert first is not None and (first.node, first.flaw, first.nan) == ("soft", "NaN", 2)


def test_inputs_that_are_not_finite_are_not_blamed_on_nodes(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.array([np.nan, 1], np.float32))
    model = onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { a = Neg(x) y = Abs(a) }")
    report = onnxfix.watch(model, tmp_path / "in.npz")
    assert report.watch.first is None and report.watch.handed_on == ("a", "y")
