"""run and compare, as calls and as commands. Engines are built for real; tests/played_engine.py plays the GPU."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from onnxfix.api import compare, run
from onnxfix.cli.app import main
from onnxfix.engine import build
from onnxfix.engine.backend import gpu_present
from onnxfix.errors import OnnxfixError
from tests.played_engine import play

HEAD = '<ir_version: 10, opset_import: ["" : 19]>\n'
NET = "g (float[N,4] x, int64[N] i) => (float[N,4] y, int64[N] k) { a = Relu(x)  y = Exp(a)  k = Neg(i) }"
NO_GPU = pytest.mark.skipif(gpu_present(), reason="this machine has a GPU")
Say = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    onnx.save(onnx.parser.parse_model(HEAD + NET), "m.onnx")
    np.savez("in.npz", x=np.arange(8, dtype=np.float32).reshape(2, 4) - 3, i=np.array([1, 2]))
    return Path("m.onnx")


@NO_GPU
@pytest.mark.parametrize("command", ["run", "compare"])
def test_without_a_gpu(command: str, model: Path, capsys: Say) -> None:
    assert main([command, str(model)]) == 2
    assert capsys.readouterr().err == (
        "onnxfix: m.onnx: builds: yes; runs: no device (an NVIDIA GPU with its driver is needed to run an engine)\n"
    )


@NO_GPU
def test_plan_without_a_gpu(model: Path, capsys: Say) -> None:
    assert build(model, plan=Path("m.plan")).built
    assert main(["run", "m.plan"]) == 2
    assert capsys.readouterr().err == "onnxfix: m.plan: runs: no device (load it where the GPU is)\n"


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"x": np.ones((2, 4), np.float32)},
            "in.npz: has no array for input 'i' (name the arrays as the inputs: i, x)",
        ),
        ({"x": np.ones((2, 4)), "i": np.ones(2, int)}, "in.npz: the array 'x' is float64 and the input is float32"),
        ({"x": np.ones((2, 5), np.float32), "i": np.ones(2, int)}, "has the shape [2, 5] and the input is [N=2, 4]"),
        ({"x": np.ones((2, 4), np.float32), "i": np.ones(3, int)}, "has the shape [3] and the input is [N=2]"),
        ({"x": np.ones((2, 4), np.float32), "i": np.ones(2, int), "z": np.ones(1)}, "has the array 'z', which is no"),
    ],
)
@pytest.mark.parametrize("command", ["run", "compare"])
def test_inputs_that_do_not_fit(command: str, arrays: dict[str, Any], words: str, model: Path, capsys: Say) -> None:
    np.savez("in.npz", **arrays)
    assert main([command, str(model), "--inputs", "in.npz"]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--input", "x"], "write NAME=FILE.npy instead of 'x'"),
        (["--input", "x=none.npy"], "none.npy: cannot be read"),
        (["--input", "x=in.npz"], "in.npz: holds several arrays (give it as --inputs)"),
        (["--inputs", "m.onnx"], "m.onnx: is not a readable .npz file"),
        (["--inputs", "empty.npz"], "empty.npz: is not a readable .npz file"),
        (["--iterations", "-1"], "'-1' is no number of times"),
    ],
)
def test_arguments_that_make_no_sense(options: list[str], words: str, model: Path, capsys: Say) -> None:
    Path("empty.npz").touch()
    assert main(["run", str(model), *options]) == 2
    assert words in capsys.readouterr().err


def test_files_that_are_no_models(model: Path, capsys: Say) -> None:
    Path("text.plan").write_text("hello")
    Path("text.onnx").write_text("hello")
    for name, words in (
        ("none.onnx", "cannot be read: No such file"),
        ("text.plan", "text.plan: is a text file, not a plan"),
        ("text.onnx", "text.onnx: "),
    ):
        assert main(["run", name]) == 2
        assert words in capsys.readouterr().err
    onnx.save(onnx.parser.parse_model(HEAD + "g (float[2] x) => () { y = Relu(x) }"), model)
    assert main(["compare", str(model)]) == 2
    assert "the model has no output (`onnxfix repair` marks the missing ones)" in capsys.readouterr().err


def test_model_that_does_not_build(model: Path, capsys: Say) -> None:
    onnx.save(onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = Foo(x) }"), model)
    for command in ("run", "compare"):
        assert main([command, str(model)]) == 1
        assert re.search(r"not built: TensorRT-RTX .* refuses it: Foo", capsys.readouterr().out)


def test_run(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    play(monkeypatch)
    assert main(["run", str(model), "--inputs", "in.npz", "-o", "out.npz", "--iterations", "10"]) == 0
    text = capsys.readouterr().out
    assert "inputs   float32[2,4] x   from -3 to 4, mean 0.5\n" in text
    assert "latency  median 1.500 ms, p95 2.250 ms of 10 iterations\n" in text
    assert "copy in 0.250 ms, compute 1.000 ms, copy out 0.250 ms; 600.0 runs per second" in text
    assert text.endswith("Wrote out.npz\n")
    with np.load("out.npz") as out:
        assert out["k"].tolist() == [-1, -2]
        assert np.allclose(out["y"], np.exp(np.maximum(np.load("in.npz")["x"], 0)))


def test_single_arrays_go_over_those_of_the_npz(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    np.save("i.npy", np.array([7, 8]))
    assert main(["run", str(model), "--inputs", "in.npz", "--input", "i=i.npy", "-o", "out.npz"]) == 0
    assert np.load("out.npz")["k"].tolist() == [-7, -8]


def test_seeded_inputs_and_nan(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    first, second = run.run(model), run.run(model)
    assert first.seeded and first.inputs == second.inputs
    feeds = {"x": np.full((1, 4), np.nan, np.float32), "i": np.array([1])}
    feeds["x"][0, 0] = np.inf
    report = run.run(model, feeds)
    assert report.notes == (
        "input 'x' holds NaN in 3 of 4 places",
        "input 'x' holds infinity in 1 of 4 places",
    )
    assert report.inputs[0].smallest is None and report.inputs[0].not_finite == 4


@pytest.mark.parametrize("outcome", ["crashed", "timeout", "failed"])
def test_run_that_fails(outcome: str, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    play(monkeypatch, outcome=outcome)
    assert main(["run", str(model), "-o", "out.npz"]) == 1
    assert capsys.readouterr().out.endswith("it broke\n")
    assert not Path("out.npz").exists()


def test_every_name_and_type_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arrays: dict[str, Any] = {"file": np.ones(2), "a/b": np.ones(1), "half": np.ones(2, ml_dtypes.bfloat16)}
    run._write(Path("out.npz"), arrays)
    with np.load("out.npz") as out:
        assert {name: array.shape for name, array in out.items()} == {"file": (2,), "a/b": (1,), "half": (2,)}
        assert out["half"].view(ml_dtypes.bfloat16).tolist() == [1, 1]
    with pytest.raises(OnnxfixError, match="cannot be written"):
        run._write(Path("none", "out.npz"), arrays)


def test_compare_equal(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    play(monkeypatch)
    assert main(["compare", str(model), "--inputs", "in.npz", "--layers"]) == 0
    text = capsys.readouterr().out
    assert "equal: the engine computes what the model computes (max |diff| 0)" in text
    assert "look at its pre- and post-processing" in text
    assert "3 values inside the model compared, 0 differ" in text


def wrong(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda outputs: {name: array + (name in names) for name, array in outputs.items()}


def test_compare_different(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    play(monkeypatch, wrong("a", "y"))
    assert main(["compare", str(model), "--inputs", "in.npz"]) == 1
    text = capsys.readouterr().out
    assert "different: the engine computes something else in 1 of 2 outputs: 'y': 8 of 8 elements are off" in text
    assert "`onnxfix compare --layers` names the first node that differs" in text
    assert "100.00%  [0,0]: 1 became 2" in text
    assert main(["compare", str(model), "--layers", "--tf32"]) == 1
    text = capsys.readouterr().out
    assert "The first value that differs is 'a', which Relu '' makes. The engine may round to 10 bits (--tf32)." in text


def test_difference_that_marking_removes(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, lambda outputs: wrong("y")(outputs) if "a" not in outputs else outputs)
    report = compare.compare(model, layers=True)
    assert report.outcome == "different"
    assert report.advice.startswith("Every value inside the model agrees once it is an output: a fusion")


@pytest.mark.parametrize("outcome", ["crashed", "timeout", "failed"])
def test_compare_that_fails(outcome: str, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, outcome=outcome)
    report = compare.compare(model)
    assert (report.outcome, report.reason, report.exit_code, report.advice) == ("failed", "it broke", 1, "")


class Page(HTMLParser):
    """Fails on an element that is not closed, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}

    def handle_starttag(self, tag: str, _: Any) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, _: Any) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model.rename("<b>&m.onnx")
    play(monkeypatch, wrong("a", "y"))
    assert main(["compare", "<b>&m.onnx", "--layers", "--html", "page.html"]) == 1
    page, content = Page(), Path("page.html").read_text(encoding="utf-8")
    page.feed(content)
    assert page.open == []
    assert page.count["svg"] == 3, "a histogram for each of two outputs, and the errors by layer"
    assert page.count["circle"] == 3
    assert page.count["rect"] == 2 * 15
    assert "&lt;b&gt;&amp;m.onnx" in content and "<b>&m" not in content
    assert not re.search(r"https?://(?!www\.w3\.org)", content), "nothing is fetched"


def test_json_has_what_the_page_says(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    play(monkeypatch, wrong("a", "y"))
    documented = Path(__file__).parent.parent.joinpath("docs", "json.md").read_text(encoding="utf-8")
    for command, options in (("run", ["--iterations", "2"]), ("compare", ["--layers"])):
        main([command, str(model), "--format", "json", *options])
        report = json.loads(capsys.readouterr().out)
        section = documented.split(f"## `onnxfix {command}`")[1].split("\n## ")[0]
        keys = set(report) | {key for part in ("inputs", "outputs") for key in report.get(part, [{}])[0]}
        keys |= set(report.get("timing", {}))
        keys |= {key for layer in report.get("layers", []) for key in layer}
        assert [key for key in sorted(keys) if f"`{key}`" not in section] == []
