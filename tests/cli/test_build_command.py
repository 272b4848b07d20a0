"""`onnxfix build` on TensorRT-RTX: plans, their sidecars, and every way in which there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from outside import Command

from onnxfix.cli.build import shape
from onnxfix.engine.sidecar import read_sidecar

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N,3,H,W] x, float[N,2] b) => (float[N,8,P,Q] y, float[N,2] z)
<float[8,3,1,1] w = {WEIGHTS}>
{ [conv1] a = Conv(x, w)  y = Relu(a)  z = Neg(b) }""".replace("WEIGHTS", ",".join(["0.5"] * 24))
REFUSED = """<ir_version: 8, opset_import: ["" : 17, "mine" : 1]>
g (float[1,3,3] x) => (float[1] z)
{ [strange] a = mine.Foo(x)  [det] y = Det(a)  z = Add(y, y) }"""
FILES = ["m.onnx", "own", "refused.onnx", "sick.onnx", "well.onnx"]


@pytest.fixture(autouse=True)
def models(folder: Path) -> None:
    onnx.save(onnx.parser.parse_model(MODEL), folder / "m.onnx")
    onnx.save(onnx.parser.parse_model(REFUSED), folder / "refused.onnx")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_plan_and_its_sidecar(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("build", "m.onnx", "--target", "rtx", "-o", "out.plan", "--compute-capability", "sm89")
    assert (done.returncode, done.stderr) == (0, "")
    assert "compute capability 8.9" in done.stdout
    assert "Wrote out.plan" in done.stdout
    assert "note: the sizes of dynamic inputs were chosen by onnxfix; --shapes sets them" in done.stdout
    assert names(folder) == sorted([*FILES, "out.plan", "out.plan.json"])
    sidecar = read_sidecar(folder / "out.plan")
    assert sidecar is not None
    assert sidecar.flavour.name == "tensorrt_rtx"
    assert (sidecar.layers[0].nodes, sidecar.layers[0].dtypes) == (("conv1",), ("float32",))
    assert (sidecar.tf32, sidecar.workspace, sidecar.system.split()[0]) == (False, 0, os.uname().sysname)


def test_the_plan_lies_beside_the_model_by_default(onnxfix: Command, folder: Path) -> None:
    assert onnxfix("build", "well.onnx").returncode == 0
    assert (folder / "well.plan").read_bytes()[:4] == b"vtrt"


def test_shapes_make_the_profile_and_shared_dimensions_follow(onnxfix: Command) -> None:
    asked = "x=1x3x16x16:2x3x32x32:4x3x64x64"
    report = json.loads(onnxfix("build", "m.onnx", "--shapes", asked, "--format", "json").stdout)
    assert (report["outcome"], report["exit_code"], report["errors"]) == ("built", 0, [])
    ranges = {tensor["name"]: tensor["ranges"] for tensor in report["tensors"]}
    assert ranges["x"] == [[[1, 3, 16, 16], [2, 3, 32, 32], [4, 3, 64, 64]]]
    assert ranges["b"] == [[[1, 2], [2, 2], [4, 2]]]
    assert not [note for note in report["notes"] if "chosen by onnxfix" in note]


def test_two_profiles(onnxfix: Command) -> None:
    report = json.loads(
        onnxfix("build", "m.onnx", "--shapes", "x=1x3x8x8", "x=2x3x16x16", "b=1x2", "b=2x2", "--format", "json").stdout
    )
    ranges = {tensor["name"]: [triple[1] for triple in tensor["ranges"]] for tensor in report["tensors"]}
    assert ranges["x"] == [[1, 3, 8, 8], [2, 3, 16, 16]]
    assert ranges["b"] == [[1, 2], [2, 2]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shapes", "x=1x3x8x8", "b=2x2"], "--shapes: dimension N is 1:1:1 in 'x' and 2:2:2 in 'b'"),
        (["--shapes", "q=1"], "--shapes q: there is no such input (the inputs are x, b)"),
        (["--shapes", "x=1x3"], "--shapes x: 2 axes, but the input has 4 (its shape is ?x3x?x?)"),
        (["--shapes", "x=1x4x8x8"], "--shapes x: axis 1 is always 3 in the model"),
        (["--shapes", "x=2x3x8x8:1x3x8x8:2x3x8x8"], "2:1:2 at axis 0 is not smallest:best:largest"),
        (["--shapes", "x=1x3x8x8", "x=1x3x8x8", "b=1x2", "b=1x2", "b=1x2"], "given 2 times, another input 3 times"),
        (["--compute-capability", "9.9"], "cannot build for compute capability '9.9' (it can for 7.5"),
        (["--precision", "fp16"], "there is no fp16 switch (convert the model to that type"),
        (["--precision", "fp32"], "types every layer as the model does"),
        (["--hardware-compatible"], "give --compute-capability several times"),
        (["--version-compatible"], "has no plans for later releases"),
        (["--timing-cache", "t"], "has no timing cache (kernels are compiled where the engine runs"),
        (["--target", "rtx1.5"], "TensorRT-RTX 1.5 is not installed, TensorRT-RTX 1.7"),
        (["--target", "trt8.6"], "tensorrt is not installed"),
        (["--target", "rtx@sm75", "--compute-capability", "8.9"], "names a GPU, and --compute-capability another"),
        (["-o", "m.onnx"], "m.onnx: is the model itself (choose another -o)"),
        (["-o", "own"], "own: is a folder (name a file)"),
        (["-o", "no/m.plan"], "there is no folder 'no'"),
    ],
)
def test_one_line_for_what_cannot_be(arguments: list[str], words: str, onnxfix: Command, folder: Path) -> None:
    library = [] if "--target" in arguments else ["--target", "rtx"]
    done = onnxfix("build", "m.onnx", *library, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert names(folder) == FILES


def test_all_refusals_with_node_operator_and_meaning(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("build", "refused.onnx", "--target", "rtx")
    assert (done.returncode, done.stderr) == (1, "")
    assert "Foo strange (node 0): " in done.stdout
    assert "neither importer nor plugin for the node" in done.stdout
    assert "UNSUPPORTED_NODE Det det (node 1): no importer for operator Det" in done.stdout
    assert "Nothing written: parse failed, 3 errors" in done.stdout
    assert names(folder) == FILES
    report = json.loads(onnxfix("build", "refused.onnx", "--target", "rtx", "--format", "json").stdout)
    assert [(e["op_type"], e["node"], bool(e["causes"])) for e in report["errors"]] == [
        ("Foo", "strange", True),
        ("Det", "det", True),
        ("", "", False),
    ]
    assert (report["output"], report["sidecar"], report["exit_code"]) == ("", "", 1)


def test_the_builders_refusal(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("build", "m.onnx", "--target", "rtx", "--workspace", "1", "--compute-capability", "8.9")
    assert done.returncode == 1
    assert "BUILDER" in done.stdout
    assert "workspace limit" in done.stdout
    assert names(folder) == FILES


def test_a_build_that_takes_too_long(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("build", "m.onnx", "--timeout", "0.001")
    assert done.returncode == 1
    assert "took longer than 0.001 s" in done.stdout
    assert names(folder) == FILES


def test_a_refused_build_leaves_the_plan_that_was_there(onnxfix: Command, folder: Path) -> None:
    (folder / "refused.plan").write_bytes(b"old")
    assert onnxfix("build", "refused.onnx").returncode == 1
    assert (folder / "refused.plan").read_bytes() == b"old"


def test_weights_may_stay_out(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("build", "well.onnx", "--strip-weights", "--tf32", "--target", "rtx")
    assert done.returncode == 0
    assert "note: the plan holds no weights" in done.stdout
    sidecar = read_sidecar(folder / "well.plan")
    assert sidecar is not None
    assert (sidecar.stripped, sidecar.tf32) == (True, True)


def test_weight_files_are_in_the_sidecar(onnxfix: Command, folder: Path) -> None:
    model = onnx.load(folder / "m.onnx")
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones((8, 3, 1, 1), np.float32), "w"))
    onnx.save(model, folder / "e.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert onnxfix("build", "e.onnx").returncode == 0
    sidecar = read_sidecar(folder / "e.plan")
    assert sidecar is not None
    assert [item.name for item in sidecar.model] == ["e.onnx", "w.bin"]


@pytest.mark.parametrize(
    "arguments", [["missing.onnx"], ["own"], ["m.onnx", "--shapes", "x=a"], ["m.onnx", "--workspace", "0"]]
)
def test_bad_usage(arguments: list[str], onnxfix: Command) -> None:
    done = onnxfix("build", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


INTERRUPTED = """
import contextlib, os, signal, sys
from onnxfix import sandbox
from onnxfix.cli.app import main
from onnxfix.report import terminal

@contextlib.contextmanager
def bar():
    def interrupt(now):
        print(sandbox.default()._child.process.pid, now, flush=True)
        os.kill(os.getpid(), signal.SIGINT)
    yield interrupt

terminal.bar = bar
sys.exit(main(["build", "m.onnx", "-o", "out.plan"]))
"""


def test_ctrl_c_while_it_builds(folder: Path) -> None:
    words = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "")
    child = int(done.stdout.split()[0])
    assert not Path(f"/proc/{child}").exists()
    assert names(folder) == FILES


def test_shapes_as_text() -> None:
    assert shape("x=1x3:2x3:4x3") == ("x", ((1, 3), (2, 3), (4, 3)))
    assert shape("a=b:0=7") == ("a=b:0", ((7,), (7,), (7,)))
    assert shape("s=-1x2") == ("s", ((-1, 2), (-1, 2), (-1, 2)))
