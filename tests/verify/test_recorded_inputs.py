"""Recorded inputs: what a repair is proven with when the user has real values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onnxfix.errors import OnnxfixError
from onnxfix.records import Check

Verify = Callable[..., Check]

RELU = "g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }"


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    return tmp_path / "inputs.npz"


def test_values_come_from_the_file(verify: Verify, npz: Path) -> None:
    np.savez(npz, x=np.float32([[-1, 2, 3]]))
    assert verify(RELU, "g (float[N,3] x) => (float[N,3] y) { y = Abs(x) }", inputs=npz).outcome == "failed"
    np.savez(npz, x=np.float32([[1, 2, 3]]))
    check = verify(RELU, "g (float[N,3] x) => (float[N,3] y) { y = Abs(x) }", inputs=npz)
    assert check.reason == "equal to the original in ONNX Runtime (max |diff| 0)"


def refused(verify: Verify, text: str, npz: Path, arrays: dict[str, object], message: str) -> None:
    """These recorded inputs of a model are refused in these words."""
    np.savez(npz, **arrays)  # type: ignore[arg-type]
    with pytest.raises(OnnxfixError) as caught:
        verify(text, text, inputs=npz)
    assert str(caught.value) == f"{npz}: {message}"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "has no array for input 'x' (name the arrays as the inputs: x)"),
        (
            {"x": np.ones((1, 3), "f"), "z": np.ones(1)},
            "has the array 'z', which is no input (name the arrays as the inputs: x)",
        ),
        ({"x": np.ones((1, 3))}, "the array 'x' is float64 and the input is float32"),
        ({"x": np.ones((1, 4), "f")}, "the array 'x' has the shape [1, 4] and the input is [N=1, 3]"),
        ({"x": np.ones(3, "f")}, "the array 'x' has the shape [3] and the input is [N, 3]"),
    ],
)
def test_misfits_are_named(verify: Verify, npz: Path, arrays: dict[str, object], message: str) -> None:
    refused(verify, RELU, npz, arrays, message)


def test_file_that_is_no_npz(verify: Verify, npz: Path) -> None:
    npz.write_bytes(b"nothing")
    with pytest.raises(OnnxfixError, match=r"is not a readable \.npz file"):
        verify(RELU, RELU, inputs=npz)


def test_file_that_is_not_there(verify: Verify, npz: Path) -> None:
    with pytest.raises(OnnxfixError) as caught:
        verify(RELU, RELU, inputs=npz)
    assert str(caught.value) == f"{npz}: cannot be read: No such file or directory"


def test_strings_and_shared_dimensions(verify: Verify, npz: Path) -> None:
    text = "g (string[N] a, string[N] b) => (string[N] y, string[N] z) { y = Identity(a) z = Identity(b) }"
    np.savez(npz, a=np.array(["x", "yy"]), b=np.array(["", "z"]))
    assert verify(text, text, inputs=npz).outcome == "passed"
    np.savez(npz, a=np.array(["x", "yy"]), b=np.array(["z"]))
    with pytest.raises(OnnxfixError, match=r"'b' has the shape \[1\] and the input is \[N=2\]"):
        verify(text, text, inputs=npz)


SEQUENCE = "g (seq(float[2]) s) => (float[m] y) { y = ConcatFromSequence <axis = 0> (s) }"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"s": np.ones((2, 2), "f")}, "has one array for the sequence 's' (name its elements s[0], s[1] and so on)"),
        ({"s[0]": np.ones(2)}, "the array 's[0]' is float64 and the input is float32"),
        ({"s[0]": np.ones(3, "f")}, "the array 's[0]' has the shape [3] and the input is [2]"),
        ({"t[0]": np.ones(2, "f")}, "has the array 't[0]', which is no input (name the arrays as the inputs: s[0] …)"),
    ],
)
def test_sequences_that_do_not_fit(verify: Verify, npz: Path, arrays: dict[str, object], message: str) -> None:
    refused(verify, SEQUENCE, npz, arrays, message)


def test_a_model_without_inputs(verify: Verify, npz: Path) -> None:
    text = "g () => (float[2] y) { y = Constant <value_floats = [1.0, 2.0]> () }"
    np.savez(npz, x=np.ones(2))
    with pytest.raises(OnnxfixError, match=r"which is no input \(the model has no inputs\)"):
        verify(text, text, inputs=npz)
