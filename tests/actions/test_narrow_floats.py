"""double to float: exact where it says so, by the target's own word an error or a note."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxfix.actions.narrow_floats import same_as_float
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, repair_model
from onnxfix.model import load
from onnxfix.targets import resolve
from tests.actions.test_narrow_integers import run, text

RULES = load_rules()


def narrowed(model: onnx.ModelProto, target: str = "trt7.0", *, unsafe: bool = False) -> Outcome:
    options = Options(target=resolve(target), select=("OFX204",), unsafe_fixes=unsafe)
    return repair_model(load(model), RULES, options)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float64, 3, elements=st.floats(width=64) | st.floats(width=32).map(float)), st.booleans())
def test_a_safe_fix_keeps_every_bit(values: np.ndarray, compared: bool) -> None:
    tail = "y = Less(b, a)" if compared else "y = Cast <to = 1> (b)"
    body = f"(float[3] x, int64[2] i) => ({'bool' if compared else 'float'}[2] y) {{ w = Cast <to = 11> (x) "
    model = text(f"{body} a = Gather(w, i) b = Gather(c, i) {tail} }}")
    model.graph.initializer.append(onnx.numpy_helper.from_array(values, "c"))
    after = narrowed(model).model.proto
    onnx.checker.check_model(after, full_check=True)
    feeds = {"x": np.array([0.1, -2, 3e38], np.float32), "i": np.array([0, 2])}
    np.testing.assert_array_equal(run(after, feeds)[0], run(model, feeds)[0])
    assert (11 in {tensor.data_type for tensor in after.graph.initializer}) != same_as_float(values)


def test_sums_in_double_are_rounded_only_when_asked() -> None:
    model = text(
        "(float[2] x) => (float[2] y) { w = Cast <to = 11> (x) s = Add(w, c) y = Cast <to = 1> (s) }",
        "<double c = {0.1}>",
    )
    assert narrowed(model).journal == [] and len(narrowed(model).withheld) == 1
    after = narrowed(model, unsafe=True).model.proto
    onnx.checker.check_model(after, full_check=True)
    np.testing.assert_allclose(run(after, {"x": np.ones(2, np.float32)})[0], 1.1, rtol=1e-6)


@pytest.mark.parametrize(("target", "level"), [("trt7.0", "error"), ("trt8.6", "note"), ("rtx", "note")])
def test_the_level_is_the_targets(target: str, level: str) -> None:
    model = text("(float[2] x) => (float[2] y) { w = Cast <to = 11> (x) s = Sqrt(w) y = Cast <to = 1> (s) }")
    (finding,) = [finding for finding, _ in narrowed(model, target).withheld]
    assert finding.level == level
