"""`--freeze`, `--shape`, `--dynamic-batch` and `--cut` as a user types them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from outside import Command

from onnxfix.cli.interface import frozen, shaped

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
REDUCE = "g (float[N,3] x, int64[1] axes) => (float[a,b] y) { r = Relu(x) y = ReduceSum(r, axes) }"


@pytest.mark.parametrize(
    ("text", "value"),
    [("k=1", 1), ("k=-1.5", -1.5), ("k=[0, 1]", [0, 1]), ("k=0,1", [0, 1]), ("k=[]", []), ("a=b=true", True)],
)
def test_values(text: str, value: Any) -> None:
    assert frozen(text) == (text.rpartition("=")[0], value)


def test_a_value_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a=b.npy", np.array([[1, 2]]))
    name, value = frozen(f"k=@{tmp_path / 'a=b.npy'}")
    assert (name, value.tolist()) == ("k", [[1, 2]])


@pytest.mark.parametrize("text", ["k", "k=", "=1", "k=one"])
def test_values_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        frozen(text)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("x=1x3x416x416", (1, 3, 416, 416)), ("x=Nx3xHxW", ("N", 3, "H", "W")), ("x=max,3", ("max", 3)), ("x=5", (5,))],
)
def test_shapes(text: str, sizes: tuple[int | str, ...]) -> None:
    assert shaped(text) == ("x", sizes)


@pytest.mark.parametrize("text", ["x", "x=", "x=1xx3", "=1x3"])
def test_shapes_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        shaped(text)


def test_changes_are_told(onnxfix: Command, folder: Path) -> None:
    onnx.save(onnx.parser.parse_model(HEAD + REDUCE), folder / "m.onnx")
    arguments = ("--verify", "numeric", "--target", "rtx1.7", "--freeze", "axes=1", "--shape", "x=2x3")
    done = onnxfix("repair", "m.onnx", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Interface input x: float[N,3] -> float[2,3]\n" in done.stdout
    assert "Interface input axes: int64[1] -> constant int64[1] = 1\n" in done.stdout
    report = json.loads(onnxfix("repair", "m.onnx", *arguments, "--format", "json").stdout)
    changes = [{"kind": "input", "name": "x", "before": "float[N,3]", "after": "float[2,3]"}]
    changes += [{"kind": "input", "name": "axes", "before": "int64[1]", "after": "constant int64[1] = 1"}]
    assert report["interface"] == changes
    assert report["rest"] == ""


def test_a_cut_writes_two_files(onnxfix: Command, folder: Path) -> None:
    text = "g (float[2,3] x) => (int64[2,n] y) { a = Relu(x) y = NonZero(a) }"
    onnx.save(onnx.parser.parse_model(HEAD + text), folder / "m.onnx")
    done = onnxfix("repair", "m.onnx", "--verify", "numeric", "--target", "rtx1.7", "--cut", "NonZero")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Interface output y: int64[2,n] -> in the rest: int64[2,n]\n" in done.stdout
    assert "Interface output a: new -> float[2,3]\n" in done.stdout
    assert "m.fixed.rest.onnx   what the cut took off" in done.stdout
    assert [node.op_type for node in onnx.load(folder / "m.fixed.onnx").graph.node] == ["Relu"]
    assert [node.op_type for node in onnx.load(folder / "m.fixed.rest.onnx").graph.node] == ["NonZero"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--freeze", "axes"), "argument --freeze: 'axes' is not NAME=VALUE"),
        (("--freeze", "axes=@none.npy"), "onnxfix: none.npy: cannot be read"),
        (("--freeze", "q=1"), "onnxfix: --freeze: no input is called 'q' (there are: x, axes)"),
        (("--shape", "x=1x4"), "onnxfix: --shape: axis 1 of 'x' is always 3 in the model and cannot be 4"),
        (("--cut", "none"), "onnxfix: --cut: no node or operator is called 'none'"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], told: str, onnxfix: Command, folder: Path) -> None:
    onnx.save(onnx.parser.parse_model(HEAD + REDUCE), folder / "m.onnx")
    done = onnxfix("repair", "m.onnx", *arguments)
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert not (folder / "m.fixed.onnx").exists()
