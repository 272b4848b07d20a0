"""Down and up again keeps the outputs, and weights outside the file are not read."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.fixpoint.conversion import blockers_of, convert
from onnxfix.model import load
from tests.opset.conversions import brought, model_of, rules, same
from tests.opset.test_written_older import numbers

GIBIBYTE = 1 << 30
BODIES = {
    "reductions": """g (float[2,3,4] x) => (float[2,4] y) <int64[1] a = {1}> {
        m = ReduceMax <keepdims = 0> (x, a) s = ReduceSum <keepdims = 0> (x, a) y = Sub (m, s) }""",
    "normalised": """g (float[2,3,4] x) => (float[2,3,4] y) <float[4] s = {1, 2, 3, 4}> {
        n = LayerNormalization (x, s) h = HardSwish (n) y = Softmax <axis = 1> (h) }""",
    "chosen": """g (float[2,3,4] x) => (float[2,1,4] y) <int64[2,1,4] i = {0, 1, 2, 0, 2, 1, 0, 0}> {
        t = Trilu (x) z = IsNaN (x) w = Where (z, x, t) y = GatherElements <axis = 1> (w, i) }""",
    "cut": """g (float[2,3,4] x) => (float[2,1,4] y) <int64[2] s = {1, 2}, int64[3] p = {0, 1, 0}, int64[1] a = {1}> {
        u, v = Split <axis = 1> (x, s) w = CumSum (v, a) m = ReduceMean (w, a) y = Clip (m) }""",
}


@settings(max_examples=16, deadline=None)
@given(body=st.sampled_from(sorted(BODIES)), start=st.integers(18, 22), target=st.sampled_from([7, 9, 11, 13]))
def test_there_and_back(body: str, start: int, target: int) -> None:
    model = model_of(start, BODIES[body])
    x = numbers(2, 3, 4)
    below = brought(model, target, x=x)
    back = brought(below, start, x=x)
    same(model, back, {"x": x})


def peak() -> int:
    """The most memory that this process ever held, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_weights_outside_are_not_read(tmp_path: Path) -> None:
    model = model_of(
        18,
        """g (float[1,4] x) => (float[N,1] y) <int64[1] a = {1}> {
        h = HardSwish (x) r = Add (h, w) y = ReduceMean (r, a) }""",
    )
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[GIBIBYTE, 4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    tensor.external_data.add(key="length", value=str(16 * GIBIBYTE))
    model.graph.initializer.append(tensor)
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(16 * GIBIBYTE)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    before = peak()
    outcome = convert(load(tmp_path / "m.onnx"), 9, rules())
    grown = peak() - before
    assert not blockers_of(outcome)
    assert grown < 256 * 1024  # KiB: the weights are 16 GiB
    stored = next(t for t in outcome.model.proto.graph.initializer if t.name == "w")
    assert not stored.raw_data and [entry.key for entry in stored.external_data]
    assert np.prod(stored.dims) == 4 * GIBIBYTE
