"""A model that magnifies roundings is named as such when a repair of it differs; a wrong repair is not excused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onnxfix.model import load
from onnxfix.verify.numeric import verify_numeric
from onnxfix.verify.steady import neighbours, unsteady_output

HEAD = '<ir_version: 8, opset_import: ["": 17]> m (float[64] x) => (float[64] y)'
ROUGH = f"{HEAD} <float a = {{1e7}}> {{ s = Mul(x, a)  y = Sin(s) }}"
ROUGH_TOO = f"{HEAD} <float a = {{3.3e3}}, float b = {{3030.303}}> {{ r = Mul(x, a)  s = Mul(r, b)  y = Sin(s) }}"
SMOOTH = f"{HEAD} {{ y = Sin(x) }}"
WRONG = f"{HEAD} {{ y = Cos(x) }}"


@pytest.mark.parametrize(("original", "candidate", "magnifies"), [(ROUGH, ROUGH_TOO, True), (SMOOTH, WRONG, False)])
def test_who_is_to_blame(original: str, candidate: str, magnifies: bool, tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(candidate), tmp_path / "c.onnx")
    check = verify_numeric(load(onnx.parser.parse_model(original)), tmp_path / "c.onnx")
    assert check.outcome == "failed"
    assert ("'y' of the original moves by" in check.reason) is magnifies


@example("float16", [65504.0], 1)
@given(st.sampled_from(["float16", "float32", "float64"]), st.lists(st.floats(width=16), max_size=5), st.integers(0, 9))
def test_a_neighbour_is_one_rounding_away(dtype: str, values: list[float], seed: int) -> None:
    array = np.array(values, dtype)
    moved = neighbours({"x": array, "n": np.arange(3)}, seed)
    assert moved["x"].dtype == array.dtype and (moved["n"] == np.arange(3)).all()
    for old, new in zip(array, moved["x"], strict=True):
        with np.errstate(over="ignore"):
            towards = {np.nextafter(old, array.dtype.type(end)) for end in (-np.inf, np.inf)}
        assert new in towards or new == old or np.isnan(old)
        assert new != old or not np.isfinite(old) or not all(map(np.isfinite, towards))


def test_whole_numbers_have_no_neighbour() -> None:
    def fails(_: object) -> dict[str, np.ndarray]:
        raise AssertionError("it is not run")

    assert unsteady_output(fails, {"n": np.arange(3)}, {"y": np.arange(3)}) == ""
