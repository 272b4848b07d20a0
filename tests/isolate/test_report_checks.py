"""A bug report about NaN, numbers, a crash or a command: its own commands show the failure in an empty folder."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from planted import CRASHING

import onnxfix
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.weights import made_up

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
OVERFLOW = HEAD + "g (float[4] x) => (float[4] y) { a = Mul(x, w) [bad] e = Exp(a) y = Neg(e) }"
SECRET = np.array([3000.5, 2000.25, 4000.125, -1000.75], np.float32)


def saved(file: Path, text: str, **weights: np.ndarray) -> Path:
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    onnx.save(model, file)
    return file


def typed(archive: Path, folder: Path) -> str:
    """What the commands of an archive print in an empty folder that it was unpacked in."""
    folder.mkdir()
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
        assert "".join(f"$ {c}\n" for c in json.loads(file.read("report.json"))["commands"]) in text(archive)
    return shown((folder / "report.md").read_text(), folder)


def shown(page: str, folder: Path) -> str:
    """What the commands of a page print in a folder."""
    commands = page.split("```console\n")[1].split("```")[0].replace("$ ", "")
    programs = folder / "programs"
    programs.mkdir()
    (programs / "onnxfix").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m onnxfix "$@"\n')
    (programs / "onnxfix").chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        ["sh", "-c", commands], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    return f"{ended.stdout}{ended.stderr}exit {ended.returncode}"


def text(archive: Path) -> str:
    with zipfile.ZipFile(archive) as file:
        return file.read("report.md").decode()


def held(archive: Path) -> bytes:
    with zipfile.ZipFile(archive) as file:
        return b"".join(file.read(name) for name in file.namelist())


def test_infinity_without_the_weights_that_made_it(tmp_path: Path) -> None:
    whole, goal = saved(tmp_path / "m.onnx", OVERFLOW, w=SECRET), tmp_path / "r.zip"
    np.savez(tmp_path / "in.npz", x=np.array([1, 0.5, -2, 1.5], np.float32))
    found = onnxfix.bug_report(whole, goal, check="nan", inputs=tmp_path / "in.npz")
    assert found.failure == "'e' holds infinity" and found.figures[0]["infinite"] == 2
    assert [(item.op_type, item.node) for item in found.origin] == [("Exp", "bad")]
    assert "made-up numbers between the smallest and the largest of yours" in text(goal)
    assert str(tmp_path).encode() not in held(goal)
    with zipfile.ZipFile(goal) as file:
        (fed,) = np.load(file.open("small.inputs.npz")).values()
    real = np.array([1, 0.5, -2, 1.5], np.float32) * SECRET
    assert fed.min() == real.min() and fed.max() == real.max() and (fed != real).sum() == 2
    assert "first not finite: e, made by Exp" in typed(goal, tmp_path / "empty")


def test_a_page_has_the_inputs_too(tmp_path: Path) -> None:
    whole, goal = saved(tmp_path / "m.onnx", OVERFLOW, w=SECRET), tmp_path / "r.md"
    onnxfix.bug_report(whole, goal, check="nan")
    (tmp_path / "empty").mkdir()
    assert "first not finite: e, made by Exp" in shown(goal.read_text(), tmp_path / "empty")


def test_seeded_inputs_are_taken_where_they_do(tmp_path: Path) -> None:
    whole = saved(tmp_path / "m.onnx", HEAD + "g (float[8] x) => (float[8] y) { a = Sin(x) b = Log(a) y = Neg(b) }")
    np.savez(tmp_path / "in.npz", x=np.full(8, -1, np.float32))
    found = onnxfix.bug_report(whole, tmp_path / "r.zip", check="nan", inputs=tmp_path / "in.npz")
    assert not found.files and found.commands == ("onnxfix check small.onnx --static --run",)
    assert "first not finite: b, made by Log" in typed(tmp_path / "r.zip", tmp_path / "empty")


def test_a_failure_that_hangs_on_weights(tmp_path: Path) -> None:
    """The overflow needs large weights: they are in the report when they are asked for, and else it says so."""
    large = np.array([2e30, 3e30, 4e30, 5e30], np.float32)
    nodes = "g (float[1,1] x) => (float[1,4] y) { a = Abs(x) b = MatMul(a, w) c = Mul(b, w2) y = Neg(c) }"
    whole = saved(tmp_path / "m.onnx", HEAD + nodes, w=large.reshape(1, 4), w2=large)
    np.savez(tmp_path / "in.npz", x=np.array([[1]], np.float32))
    without = onnxfix.bug_report(whole, tmp_path / "r.zip", check="nan", inputs=tmp_path / "in.npz")
    assert without.reduced is None and "pass --weights" in text(tmp_path / "r.zip")
    assert large.tobytes() not in held(tmp_path / "r.zip") and without.failure == "'c' holds infinity"
    found = onnxfix.bug_report(whole, tmp_path / "w.zip", check="nan", inputs=tmp_path / "in.npz", weights=True)
    assert found.reduced is not None and "The weights that the failure needs are in it" in text(tmp_path / "w.zip")
    assert "first not finite: c, made by Mul" in typed(tmp_path / "w.zip", tmp_path / "empty")


ONE_NORM = """g (float[3,4] x) => (float[3,4] y, float[3,4] z)
  { a = Mul(x, w) [first] b = Tanh(a) [norm] n = LpNormalization <axis = 1, p = 1> (b) y = Neg(n) z = Relu(b) }"""


@pytest.mark.parametrize("recorded", [False, True])
def test_wrong_numbers(tmp_path: Path, recorded: bool) -> None:
    """The reference evaluator divides by the sum, and not by the sum of magnitudes."""
    whole, goal = saved(tmp_path / "m.onnx", HEAD + ONE_NORM, w=SECRET), tmp_path / "r.zip"
    np.savez(tmp_path / "in.npz", x=np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4))
    inputs = tmp_path / "in.npz" if recorded else None
    found = onnxfix.bug_report(whole, goal, check="numeric", inputs=inputs)
    assert [item.node for item in found.origin] == ["norm"] and found.figures[0]["max_diff"] > 0.1
    assert found.failure.startswith("output 'y': ") and "| max_diff |" in text(goal)
    said = typed(goal, tmp_path / "empty")
    assert "fails numeric: output 'n': " in said and "exit 0" in said


def test_recorded_inputs_count_for_numbers(tmp_path: Path) -> None:
    """Numbers that are all positive are divided by the same sum."""
    whole = saved(tmp_path / "m.onnx", HEAD + ONE_NORM, w=np.ones(4, np.float32))
    np.savez(tmp_path / "in.npz", x=np.full((3, 4), 0.5, np.float32))
    with pytest.raises(OnnxfixError, match="does not fail the check `numeric`"):
        onnxfix.reduce(whole, tmp_path / "small.onnx", check="numeric", inputs=tmp_path / "in.npz")


def test_a_command_comes_along(tmp_path: Path) -> None:
    script = tmp_path / "with space" / "look.py"
    script.parent.mkdir()
    script.write_text(
        "import sys, onnx\nbad = [n for n in onnx.load(sys.argv[2]).graph.node if n.op_type == sys.argv[1]]\n"
        "sys.exit(f'refuses {bad[0].op_type}' if bad else 0)\n"
    )
    whole, goal = saved(tmp_path / "m.onnx", OVERFLOW, w=SECRET), tmp_path / "r.zip"
    check = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} Exp {{}}"
    found = onnxfix.bug_report(whole, goal, check=check)
    assert found.commands[-1] == f"{Path(sys.executable).name} look.py Exp small.onnx"
    assert "what the command runs is in it: look.py" in found.notes
    assert str(tmp_path).encode() not in held(goal)
    said = typed(goal, tmp_path / "empty")
    assert "refuses Exp" in said and "exit 1" in said


def test_a_program_that_crashes(tmp_path: Path) -> None:
    program = tmp_path / "crash"
    program.write_text(f"#!{sys.executable}\n{CRASHING}")
    program.chmod(0o755)
    (tmp_path / "data.bin").write_bytes(b"\0\xff")
    whole, goal = saved(tmp_path / "m.onnx", OVERFLOW, w=SECRET), tmp_path / "r.zip"
    check = shlex.join([str(program), "{}", "Exp", str(tmp_path / "data.bin")])
    found = onnxfix.bug_report(whole, goal, check=check)
    assert found.commands == ("chmod +x crash", "./crash small.onnx Exp data.bin")
    assert "the command also needs what is not in it: data.bin" in found.notes[1]
    assert found.failure.startswith("SIGSEGV") and typed(goal, tmp_path / "empty").endswith(("exit 139", "exit -11"))


def test_where_it_cannot_be_written_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxfix.api.bugreport.doctor", None)  # calling it would be a TypeError
    whole = saved(tmp_path / "m.onnx", OVERFLOW, w=SECRET)
    (tmp_path / "folder.zip").mkdir()
    for goal, said in ((tmp_path / "no" / "r.zip", "there is no folder"), (tmp_path / "folder.zip", "is a folder")):
        with pytest.raises(OnnxfixError, match=said):
            onnxfix.bug_report(whole, goal, check="nan")


def test_a_model_that_is_well(tmp_path: Path) -> None:
    whole = saved(tmp_path / "m.onnx", HEAD + "g (float[2] x) => (float[2] y) { y = Relu(x) }")
    found = onnxfix.bug_report(whole, tmp_path / "r.md", check="nan")
    assert not found.failure and "does not fail the check `nan`" in (tmp_path / "r.md").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inputs": "in.npz"}, "--inputs: belongs to the checks numeric and nan"),
        ({"check": "nan", "match": "x"}, "--match: belongs to a command"),
        ({"check": ""}, "the check is empty"),
        ({"timeout": 0.0}, "is no time to wait"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, str], said: str) -> None:
    whole = saved(tmp_path / "m.onnx", OVERFLOW, w=SECRET)
    for ask in (onnxfix.reduce, onnxfix.bug_report):
        goal = tmp_path / ("o.onnx" if ask is onnxfix.reduce else "o.zip")
        with pytest.raises(OnnxfixError, match=said):
            ask(whole, goal, **options)  # type: ignore[operator]
        assert not goal.exists()


@pytest.mark.parametrize(
    "array",
    [
        np.array([-2.0, 0.0, 1.5, 9.0], np.float32),
        np.array([3, 5, 9, 200], np.uint8),
        np.array([True, False, True]),
        np.array([], np.float64),
        np.array([1 + 2j, 3 - 1j], np.complex64),
        np.array(7, np.int64),
    ],
)
def test_made_up_arrays_keep_type_and_range(array: np.ndarray) -> None:
    other = made_up(array, np.random.default_rng(0))
    assert other.dtype == array.dtype and other.shape == array.shape
    if array.size and array.dtype.kind != "c":
        assert other.min() == array.min() and other.max() == array.max()


def test_made_up_texts_tell_nothing() -> None:
    assert list(made_up(np.array(["secret", "words"], object), np.random.default_rng(0))) == ["text0", "text1"]
