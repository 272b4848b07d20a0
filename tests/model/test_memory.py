"""Weights are never loaded: a model with 20 GB of them is checked and repaired in the memory of a small one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

GIBIBYTE = 1 << 30

# VmHWM and not ru_maxrss, which a process inherits from the one that started it
MEASURE = """
import re, sys
from pathlib import Path
import onnxfix
report = onnxfix.repair(sys.argv[1], verify="none", select=["OFX001"])
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(report.output, report.verdict.outcome, peak)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_twenty_gigabytes_of_weights(tmp_path: Path) -> None:
    """Two tensors of 10 GB in a sparse file; Upsample is there to be repaired."""
    path = tmp_path / "m.onnx"
    path.write_bytes(_large().SerializeToString())
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(20 * GIBIBYTE)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    output, outcome, kibibytes = done.stdout.split()
    assert (output, outcome) == (str(tmp_path / "m.fixed.onnx"), "passed")
    assert int(kibibytes) < 400_000
    assert (tmp_path / "w.bin").stat().st_size == 20 * GIBIBYTE
    assert (tmp_path / "m.fixed.onnx").stat().st_size < 5000


def _large() -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 11]> g (float[1,1,4,4] x) => (float[1,1,8,8] y, float[8,335544320] z) {
            y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)
            flat = Reshape (y, shape)
            half = MatMul (flat, w0)
            z = Sub (half, w1)
        }"""
    )
    model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [2], [8, 8]))
    for index, dims in enumerate([(8, 10 * GIBIBYTE // 32), (8, 10 * GIBIBYTE // 32)]):
        tensor = model.graph.initializer.add(name=f"w{index}", data_type=TensorProto.FLOAT, dims=dims)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "w.bin"), ("offset", index * 10 * GIBIBYTE), ("length", 10 * GIBIBYTE)):
            tensor.external_data.add(key=key, value=str(value))
    return model
