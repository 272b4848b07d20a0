from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxfix import sandbox
from onnxfix.engine import EngineResult, Flavour, InputRange, api, build, installed
from onnxfix.errors import OnnxfixError

Builder = Callable[..., EngineResult]
HEAD = '<ir_version: 8, opset_import: ["" : 17, "my.domain" : 1]>\n'


@pytest.fixture
def built(tmp_path: Path) -> Builder:
    """Saves a model given as ONNX text and builds it with TensorRT-RTX."""

    def run(text: str, **options: object) -> EngineResult:
        path = tmp_path / "model.onnx"
        onnx.save(onnx.parser.parse_model(HEAD + text), path)
        return build(path, "tensorrt_rtx", **options)  # type: ignore[arg-type]

    return run


def test_installed_names_the_version() -> None:
    rtx = next(flavour for flavour in installed() if flavour.name == "tensorrt_rtx")
    assert rtx.title == f"TensorRT-RTX {rtx.version}"
    assert rtx.version.count(".") == 3


def test_static_model_builds_for_the_named_default(built: Builder) -> None:
    result = built("g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }")
    assert (result.outcome, result.errors, result.profile) == ("built", (), ())
    assert result.plan_bytes > 1000
    assert result.gpu or result.compute_capability == "8.9"


def test_plan_is_written_where_asked(built: Builder, tmp_path: Path) -> None:
    plan = tmp_path / "m.plan"
    result = built("g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }", plan=plan)
    assert plan.stat().st_size == result.plan_bytes
    assert plan.read_bytes()[:4] in (b"ftrt", b"ptrt", b"vtrt")


def test_all_unknown_operators_are_reported(built: Builder) -> None:
    result = built("g (float[3] x) => (float[3] y) { a = Foo(x)  b = my.domain.Bar(a)  y = Add(a, b) }")
    assert result.outcome == "parse_failed"
    assert [(e.op_type, e.index, e.stage) for e in result.errors[:2]] == [("Foo", 0, "parse"), ("Bar", 1, "parse")]
    assert result.errors[2].message == "the network has no output: the parser stopped at the errors above"


def test_refusal_without_words_gets_some(built: Builder) -> None:
    result = built("g (float[1,3,3] x) => (float[1] y) { y = Det(x) }")
    assert (result.errors[0].code, result.errors[0].message) == ("UNSUPPORTED_NODE", "no importer for operator Det")


def test_network_without_output_says_so(built: Builder) -> None:
    result = built("g (float[2,3] x) => () { y = Relu(x) }")
    assert result.outcome == "build_failed"
    assert [(e.code, e.message) for e in result.errors] == [
        ("NO_OUTPUT", "the network has no output: the graph marks no value as an output")
    ]


def test_builder_refusal_comes_from_the_logger(built: Builder) -> None:
    result = built(
        "g (float[9000] x) => (float[M] y, int64[M] i) <int64[1] k = {3841}> { y, i = TopK <axis = 0> (x, k) }"
    )
    assert result.outcome == "build_failed"
    assert [error.stage for error in result.errors] == ["build"]
    assert "K exceeds the maximum value allowed (3840)" in result.errors[0].message


def test_errors_of_one_build_do_not_leak_into_the_next(built: Builder) -> None:
    built("g (float[3] x) => (float[3] y) { y = Foo(x) }")
    assert built("g (float[2,3] x) => () { y = Relu(x) }").errors[0].code == "NO_OUTPUT"


def test_dimensions_of_one_name_get_one_size(built: Builder) -> None:
    result = built(
        "g (float[N,T] a, float[N,3,T] b) => (float[N,3,T] y) <int64[1] z = {1}>{ c = Unsqueeze(a, z) y = Add(c, b) }"
    )
    assert result.built
    assert result.profile == (
        InputRange("a", (1, 1), (1, 64), (4, 256)),
        InputRange("b", (1, 3, 1), (1, 3, 64), (4, 3, 256)),
    )


def test_sizes_by_dimension_and_by_axis(built: Builder) -> None:
    text = "g (float[N,T] a, float[?,2] b) => (float[N,T] y, float[?,2] z) { y = Relu(a) z = Relu(b) }"
    result = built(text, sizes={"T": (5, 6, 7), "b[0]": (2, 2, 9)})
    assert result.profile == (InputRange("a", (1, 5), (1, 6), (4, 7)), InputRange("b", (2, 2), (2, 2), (9, 2)))


def test_refused_range_falls_back_to_one_size(built: Builder) -> None:
    text = "g (float[1,3,H,W] x) => (float[1,150528] y) <int64[2] s = {1, 150528}> { y = Reshape(x, s) }"
    result = built(text)
    assert result.built
    assert result.profile == (InputRange("x", *[(1, 3, 224, 224)] * 3),)


def test_a_window_of_sound(built: Builder) -> None:
    """Longer than the sizes that are tried first, which are refused in the same words."""
    result = built(
        "g (float[N,1,T] x) => (float[N,1,U] y) { y = AveragePool <kernel_shape = [400], strides = [160]> (x) }"
    )
    assert result.built
    assert result.profile == (InputRange("x", (1, 1, 1024), (1, 1, 1024), (4, 1, 1024)),)


def test_refusal_at_every_size_keeps_the_first_words(built: Builder) -> None:
    text = "g (float[1,3,H,W] x) => (float[1,7] y) <int64[2] s = {1, 7}> { y = Reshape(x, s) }"
    result = built(text)
    assert result.outcome == "build_failed"
    assert result.profile == (InputRange("x", (1, 3, 64, 64), (1, 3, 256, 256), (1, 3, 512, 512)),)


def test_shape_input_gets_values(built: Builder) -> None:
    result = built("g (float[1] x, int64[2] s) => (float[A,B] y) { y = Expand(x, s) }")
    assert result.built
    assert result.profile == (InputRange("s", (1, 1), (4, 4), (16, 16), values=True),)


def test_scalar_shape_input(built: Builder) -> None:
    result = built(
        "g (float[2,30] x, int64 k) => (float[2,K] y, int64[2,K] i) <int64[1] z = {0}>"
        "{ s = Unsqueeze(k, z) y, i = TopK(x, s) }"
    )
    assert result.profile == (InputRange("k", (1,), (4,), (16,), values=True),)
    assert result.built


@pytest.mark.parametrize("name", ["7.5", "sm89", "12.0"])
def test_named_compute_capability(built: Builder, name: str) -> None:
    assert built("g (float[2] x) => (float[2] y) { y = Relu(x) }", compute_capability=name).built


def test_data_type_that_the_named_gpu_lacks(built: Builder) -> None:
    text = "g (bfloat16[2] x) => (bfloat16[2] y) { y = Relu(x) }"
    assert built(text, compute_capability="8.0").built
    refused = built(text, compute_capability="7.5")
    assert refused.outcome == "build_failed"
    assert "sm75" in refused.errors[0].message


def test_unknown_compute_capability_lists_the_known(built: Builder) -> None:
    with pytest.raises(OnnxfixError, match=r"cannot build for compute capability '9.9' \(it can for 7.5, 8.0"):
        built("g (float[2] x) => (float[2] y) { y = Relu(x) }", compute_capability="9.9")


def test_external_weights_are_found(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }")
    model.graph.initializer[0].raw_data = onnx.numpy_helper.to_array(model.graph.initializer[0]).tobytes()
    del model.graph.initializer[0].float_data[:]
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert build(path, "tensorrt_rtx").built
    (tmp_path / "w.bin").unlink()
    assert build(path, "tensorrt_rtx").outcome == "parse_failed"


def test_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"\x08\x08garbage")
    result = build(path, "tensorrt_rtx")
    assert (result.outcome, result.errors[0].code) == ("parse_failed", "MODEL_DESERIALIZE_FAILED")


def test_missing_file_and_missing_library(tmp_path: Path) -> None:
    with pytest.raises(OnnxfixError, match="no such file"):
        build(tmp_path / "none.onnx", "tensorrt_rtx")
    with pytest.raises(OnnxfixError, match="tensorrt_lean is not installed"):
        build(tmp_path / "none.onnx", "tensorrt_lean")


@pytest.mark.parametrize(
    ("failure", "outcome", "signal", "words"),
    [
        (sandbox.SandboxCrash("f", "SIGSEGV"), "crashed", "SIGSEGV", "TensorRT-RTX 9 crashed on this model (SIGSEGV)"),
        (sandbox.SandboxTimeout("f", 3), "timeout", "", "TensorRT-RTX 9 took longer than 300 s"),
    ],
)
def test_crash_and_timeout_are_outcomes(
    failure: Exception, outcome: str, signal: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def call(self, *_: object, **__: object) -> None:
            raise failure

    monkeypatch.setattr(sandbox, "default", Broken)
    monkeypatch.setattr(api, "choose", lambda _: Flavour("tensorrt_rtx", "9"))
    path = tmp_path / "m.onnx"
    path.touch()
    result = build(path)
    assert (result.outcome, result.signal, result.errors[0].message) == (outcome, signal, words)


def test_recorded_inputs_make_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[2,3,4] x, int64[2] shape) => (float[A,B] y) { y = Reshape(x, shape) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    sample = {"x": np.zeros((2, 3, 4), np.float32), "shape": np.array([6, 4], np.int64)}
    result = build(path, "tensorrt_rtx", "8.9", sample=sample)
    assert result.built
    assert [(item.name, item.best, item.values) for item in result.profile] == [("shape", (6, 4), True)]


def test_a_model_that_kills_the_parser(tmp_path: Path) -> None:
    """TensorRT-RTX 1.7.1 dies of a Reshape to 13 dimensions (8 are allowed; 9 get an error message)."""
    path = tmp_path / "m.onnx"
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[3,16] x) => (float[3,16] y)
    <int64[13] long = {1,1,1,1,1,1,1,1,1,1,1,1,48}, int64[2] short = {3,16}>
    { a = Reshape(x, long) y = Reshape(a, short) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    result = build(path, "tensorrt_rtx", "8.9")
    assert not result.built
    if result.outcome == "crashed":
        assert result.signal == "SIGSEGV"
        assert "crashed on this model (SIGSEGV)" in result.errors[0].message
    onnx.save(onnx.parser.parse_model(text.replace("13]", "2]").replace("1,1,1,1,1,1,1,1,1,1,1,1,48", "16,3")), path)
    assert build(path, "tensorrt_rtx", "8.9").built, "the next model is built all the same"
