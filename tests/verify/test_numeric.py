from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from fixtures import darknet
from onnxfix import sandbox
from onnxfix.engine import build
from onnxfix.model import load
from onnxfix.records import Check
from onnxfix.verify import numeric
from onnxfix.verify.numeric import verify_numeric
from onnxfix.verify.session import Comparison, Job

Verify = Callable[..., Check]

RELU = "g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }"


def test_equal_models_pass_at_two_sizes(verify: Verify) -> None:
    check = verify(RELU, "g (float[N,3] x) => (float[N,3] y) <float z = {0}> { y = Max(x, z) }")
    assert (check.kind, check.outcome) == ("numeric", "passed")
    assert check.reason == "equal to the original in ONNX Runtime at N=1 and at N=2 (max |diff| 0)"
    assert [run["sizes"] for run in check.details["runs"]] == [{"N": 1}, {"N": 2}]
    assert check.details["tolerances"] == {"float32": (1e-5, 1e-4)}


def test_wrong_numbers_fail_and_say_where(verify: Verify) -> None:
    check = verify(RELU, "g (float[N,3] x) => (float[N,3] y) <float c = {0.001}> { r = Relu(x) y = Add(r, c) }")
    assert check.outcome == "failed"
    assert check.reason.startswith("output 'y' differs from ONNX Runtime at N=1: 3 of 3 elements are off")


def test_a_batch_burnt_in_fails_at_the_second_size(verify: Verify) -> None:
    check = verify(
        "g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }",
        "g (float[N,4] x) => (float[N,4] y) <int64[2] s = {1, 4}> { r = Relu(x) y = Reshape(r, s) }",
    )
    assert check.outcome == "failed"
    assert "refuses inputs that the original takes" in check.reason


def test_original_with_burnt_in_batch_runs_at_its_own_size(verify: Verify) -> None:
    text = "g (float[N,4] x) => (float[A,4] y) <int64[2] s = {8, 4}> { r = Relu(x) y = Reshape(r, s) }"
    check = verify(text, text)
    assert check.outcome == "passed"
    assert "at N=8 (" in check.reason
    assert {"N": 2} in [entry["sizes"] for entry in check.details["refused_sizes"]]


def test_sizes_that_give_only_empty_outputs_do_not_count(verify: Verify) -> None:
    text = (
        "g (float[1,1,H,W] x) => (float[1,1,A,B] y) <int64[2] s = {5,5}, int64[2] e = {999,999}, int64[2] a = {2,3}>"
        "{ y = Slice(x, s, e, a) }"
    )
    check = verify(text, text)
    assert check.outcome == "passed"
    assert check.details["runs"][0]["sizes"] == {"H": 7, "W": 8}


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ("g (float[N,3] x) => (double[N,3] y) { r = Relu(x) y = Cast <to = 11> (r) }", "its type is float64"),
        (
            "g (float[N,3] x) => (float[N,3,1] y) <int64[1] a = {2}> { r = Relu(x) y = Unsqueeze(r, a) }",
            "its shape is [1,3,1]",
        ),
        ("g (float[N,3] x) => (float[N,3] z) { z = Relu(x) }", "output 'y' is gone"),
        ("g (float[N,3] x, float[3] w) => (float[N,3] y) { y = Relu(x) }", "input 'w' is new"),
        (
            "g (double[N,3] x) => (float[N,3] y) { r = Cast <to = 1> (x) y = Relu(r) }",
            "input 'x' is double and was float",
        ),
    ],
)
def test_changed_interface_fails(verify: Verify, after: str, why: str) -> None:
    check = verify(RELU, after)
    assert check.outcome == "failed"
    assert why in check.reason


def test_candidate_that_is_invalid_fails(verify: Verify) -> None:
    check = verify(RELU, "g (float[N,3] x) => (float[N,3] y) { y = Relu(missing) }")
    assert check.outcome == "failed"
    assert "the repaired model does not run" in check.reason


def test_candidate_with_a_plugin_is_not_verified(verify: Verify) -> None:
    after = (
        '<ir_version: 8, opset_import: ["" : 17, "trt" : 1]> g (float[N,3] x) => (float[N,3] y) { y = trt.Relu3(x) }'
    )
    assert verify(RELU, after).outcome == "not_verified"


def test_original_that_nothing_runs_has_no_baseline(verify: Verify) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g (float[3] x) => (float[3] y) { y = my.Op(x) }'
    check = verify(text, text)
    assert check.outcome == "not_verified"
    assert check.reason.startswith("the original has no baseline: ")
    assert "my:Op" in check.reason


def test_nan_must_stay_where_it_was(verify: Verify) -> None:
    text = "g (float[N,9] x) => (float[N,9] y) { y = Sqrt(x) }"
    assert verify(text, text).outcome == "passed"
    check = verify(text, "g (float[N,9] x) => (float[N,9] y) { a = Abs(x) y = Sqrt(a) }")
    assert check.reason.endswith("NaN appears at other places")


def test_outputs_of_several_types(verify: Verify) -> None:
    text = (
        "g (float[N,9] x, string[2] s, bool[2] b) => (int64[N,9] i, bool[2] n, string[2] t, float16[N,9] h)"
        "{ i = Cast <to = 7> (x) n = Not(b) t = Identity(s) h = Cast <to = 10> (x) }"
    )
    check = verify(text, text)
    assert check.outcome == "passed"
    assert set(check.details["tolerances"]) == {"int64", "bool", "string", "float16"}


def test_bfloat16_travels_through_onnx_runtime(verify: Verify) -> None:
    text = "g (bfloat16[5] x) => (bfloat16[5] y) { y = Identity(x) }"
    check = verify(text, text)
    assert (check.outcome, list(check.details["tolerances"])) == ("passed", ["bfloat16"])


def test_random_outputs_are_named_and_the_others_compared(verify: Verify) -> None:
    text = "g (float[N,3] x) => (float[N,3] y, float[N,3] r) { y = Relu(x) r = RandomNormalLike(x) }"
    check = verify(text, text)
    assert check.outcome == "not_verified"
    assert check.reason.startswith("random outputs have no baseline: r; the other outputs are equal")
    wrong = "g (float[N,3] x) => (float[N,3] y, float[N,3] r) { y = Neg(x) r = RandomNormalLike(x) }"
    assert verify(text, wrong).outcome == "failed"


def test_seeded_random_operator_after_folding_is_a_baseline_again(verify: Verify) -> None:
    text = "g (float[N,3] x) => (float[N,3] y) { r = RandomNormalLike(x) z = Sub(r, r) y = Add(x, z) }"
    assert verify(text, text).outcome == "passed"


def test_outputs_that_the_original_lacks_are_marked_there(verify: Verify) -> None:
    check = verify("g (float[N,3] x) => () { y = Relu(x) }", RELU)
    assert check.outcome == "passed"
    assert check.reason.startswith("equal to the original in ONNX Runtime at N=1")


def test_new_output_is_not_verified(verify: Verify) -> None:
    check = verify(RELU, "g (float[N,3] x) => (float[N,3] y, float[N,3] z) { y = Relu(x) z = Neg(x) }")
    assert check.outcome == "not_verified"
    assert check.reason.startswith("output 'z' is new; the others: equal")


def test_sizes_that_the_candidate_fixes_are_used(verify: Verify) -> None:
    check = verify(
        "g (float[N,T] x) => (float[N,T] y) { y = Relu(x) }", "g (float[5,T] x) => (float[5,T] y) { y = Relu(x) }"
    )
    assert check.outcome == "passed"
    assert [run["sizes"]["N"] for run in check.details["runs"]] == [5, 5]


def test_sequence_outputs_are_compared_by_element(verify: Verify) -> None:
    text = "g (float[4,3] x) => (seq(float[2,3]) y) { y = SplitToSequence <axis = 0> (x, n) }".replace(
        "{ y", "<int64 n = {2}> { y", 1
    )
    check = verify(text, text)
    assert check.outcome == "passed"
    assert {"y.length", "y[0]", "y[1]"} == {figures["name"] for figures in check.details["runs"][0]["figures"]}
    reversed_order = text.replace("(x, n)", "(m, n)").replace("{ y", "{ m = Neg(x) y", 1)
    assert verify(text, reversed_order).outcome == "failed"


def test_original_that_is_not_its_file_any_more_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>' + RELU), path)
    model = load(path)
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    proto.graph.node[0].op_type = "Neg"
    assert verify_numeric(model.with_proto(proto), path).outcome == "failed"
    assert verify_numeric(load(proto), path).outcome == "failed"
    assert verify_numeric(model, path).outcome == "passed"


def test_relative_paths_after_a_change_of_folder(
    verify: Verify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verify(RELU, RELU).outcome == "passed"
    monkeypatch.chdir(tmp_path)
    assert verify_numeric(load(Path("before.onnx")), Path("after.onnx")).outcome == "passed"
    assert build(Path("after.onnx"), "tensorrt_rtx").built


@pytest.mark.parametrize(
    ("ways", "candidate", "outcome", "words"),
    [
        ({"direct"}, False, "passed", "equal to the original in ONNX Runtime"),
        ({"direct", "pieces", "reference"}, False, "not_verified", "it crashes every runtime (SIGSEGV)"),
        (set(), True, "failed", "the repaired model crashes ONNX Runtime (SIGSEGV)"),
    ],
)
def test_crashes(
    verify: Verify, monkeypatch: pytest.MonkeyPatch, ways: set[str], candidate: bool, outcome: str, words: str
) -> None:
    call = numeric._call

    def crashing(job: Job, timeout: float) -> Comparison:
        if ways & set(job.ways) or (candidate and job.candidate):
            raise sandbox.SandboxCrash("compare_files", "SIGSEGV")
        return call(job, timeout)

    monkeypatch.setattr(numeric, "_call", crashing)
    check = verify(RELU, RELU)
    assert check.outcome == outcome
    assert words in check.reason


def test_timeout_is_not_verified(verify: Verify) -> None:
    body = "g1 (int64 i, bool c, float[N,N] a) => (bool c2, float[N,N] b) { c2 = Identity(c) b = MatMul(a, a) }"
    text = (
        "g (float[300,300] x) => (float[300,300] y) <int64 n = {1000000}, bool t = {1}>"
        "{ y = Loop <body = " + body + "> (n, t, x) }"
    )
    check = verify(text, text, timeout=1.5)
    assert check.outcome == "not_verified"
    assert check.reason == "running both models took longer than 1.5 s"


@pytest.mark.parametrize("opset", [5, 7, 11])
def test_darknet_models_have_a_baseline_in_every_old_form(opset: int, tmp_path: Path) -> None:
    """Small YOLOv3-tiny: legacy broadcasts, Upsample of another opset and no outputs, against the valid model."""
    options = {"size": 32, "width": 0.05, "classes": 2, "dynamic_batch": True}
    old = darknet.build("yolov3-tiny", opset=opset, ailments=True, **options)
    valid = darknet.build("yolov3-tiny", ailments=False, **options)
    onnx.save(valid, tmp_path / "valid.onnx")
    check = verify_numeric(load(old), tmp_path / "valid.onnx")
    assert check.outcome == "passed"
    assert [run["sizes"] for run in check.details["runs"]] == [{"batch": 1}, {"batch": 2}]
    assert len(check.details["runs"][0]["figures"]) == 2
    assert ("numpy" in check.reason) == (opset == 5)
