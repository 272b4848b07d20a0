"""Rules that need the numbers of one large tensor: these are read a few at a time, and not held in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import onnxfix

ROWS = 40_000

BODY = '<ir_version: 8, opset_import: ["" : 13]> g (int64[2] i, float[2,1000] x) => (float[2,1000] y) '
NODES = "{ r = Gather <axis = 0> (w, i) c = Cast <to = 1> (r) y = Add (c, x) }"


def model(folder: Path, dtype: int, last: float, rows: int = ROWS) -> Path:
    """A model whose weights are a sparse file of zeros, with one number at the end; 8 bytes an element."""
    proto = onnx.parser.parse_model(BODY + NODES)
    tensor = proto.graph.initializer.add(name="w", dims=(rows, 1000), data_type=dtype)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    with (folder / "w.bin").open("wb") as file:
        file.truncate(rows * 8000)
        file.seek(-8, 2)
        file.write(np.array([last], onnx.helper.tensor_dtype_to_np_dtype(dtype)).tobytes())
    onnx.save(proto, folder / "m.onnx")
    return folder / "m.onnx"


def peak(work: Callable[[], Any]) -> tuple[Any, int]:
    """What something gives, and the most bytes that Python and numpy held for it."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("last", "told"), [(2**40, "w holds 1099511627776, which TensorRT"), (2**31 - 1, "")])
def test_integers_of_any_size_are_looked_at(tmp_path: Path, last: int, told: str) -> None:
    """320 MB: an error is told for a number that is there, and not for one that may be."""
    path = model(tmp_path, TensorProto.INT64, last)
    report, most = peak(lambda: onnxfix.check(path, target="trt8.6", ask_target=False, select=["OFX201"]))
    errors = [found.message for found in report.diagnostics if found.level == "error"]
    assert (len(errors), "".join(errors).startswith(told)) == (bool(told), True)
    assert most < 100_000_000


@pytest.mark.parametrize(("dtype", "last", "factor"), [(TensorProto.INT64, 5, 1.3), (TensorProto.DOUBLE, 0.5, 1.3)])
def test_a_tensor_that_becomes_smaller_is_not_held_in_its_old_type(
    tmp_path: Path, dtype: int, last: float, factor: float
) -> None:
    path = model(tmp_path, dtype, last, rows=20_000)
    code = "OFX201" if dtype == TensorProto.INT64 else "OFX204"
    target = "trt8.6" if dtype == TensorProto.INT64 else "rtx1.7"
    report, most = peak(
        lambda: onnxfix.repair(path, tmp_path / "out.onnx", target=target, select=[code], verify="none")
    )
    assert [fix.code for fix in report.fixes] == [code]
    assert most < factor * 160_000_000
    made = next(t for t in onnx.load(tmp_path / "out.onnx").graph.initializer if t.name.startswith("w"))
    values = onnx.numpy_helper.to_array(made)
    assert (values.dtype.itemsize, values.shape) == (4, (20_000, 1000))
    assert (float(values[-1, -1]), int(np.count_nonzero(values))) == (last, 1)


def test_doubles_that_no_float_holds_stay(tmp_path: Path) -> None:
    """The number at the end of 160 MB decides."""
    path = model(tmp_path, TensorProto.DOUBLE, 0.1, rows=20_000)
    report = onnxfix.check(path, target="rtx1.7", ask_target=False, select=["OFX204"])
    assert report.diagnostics
    assert all("rounds the numbers" in found.message for found in report.diagnostics)
