"""Steps of optimizers against onnx.reference and TensorRT-RTX."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, evaluated, model_of, outcome_of

STATES = {"Adagrad": 1, "Adam": 2, "Momentum": 1}


def step(operator: str, tensors: int, attributes: str, imports: str = '"" : 15, ') -> str:
    groups = 2 + STATES[operator]
    names = [[f"t{group}_{place}" for place in range(tensors)] for group in range(groups)]
    inputs = [name for group in names for name in group]
    outputs = [f"o{group}_{place}" for group in range(groups - 1) for place in range(tensors)]
    return f"""<ir_version: 8, opset_import: [{imports}"ai.onnx.preview.training" : 1]>
g (float R, int64 T, {", ".join(f"float[2,3] {name}" for name in inputs)})
  => ({", ".join(f"float[2,3] {name}" for name in outputs)})
{{ {", ".join(outputs)} = ai.onnx.preview.training.{operator} <{attributes}> (R, T, {", ".join(inputs)}) }}"""


@settings(max_examples=25, deadline=None)
@given(
    operator=st.sampled_from(sorted(STATES)),
    tensors=st.integers(1, 3),
    count=st.integers(0, 3),
    mode=st.sampled_from(["standard", "nesterov"]),
    norm=st.sampled_from([0.0, 0.1]),
)
def test_steps_are_those_of_the_standard(operator: str, tensors: int, count: int, mode: str, norm: float) -> None:
    attributes = {
        "Adagrad": f"decay_factor = 0.1, epsilon = 0.01, norm_coefficient = {norm}",
        "Adam": f"alpha = 0.8, beta = 0.7, epsilon = 0.01, norm_coefficient = {norm}, norm_coefficient_post = {norm}",
        "Momentum": f'alpha = 0.9, beta = 0.3, mode = "{mode}", norm_coefficient = {norm}',
    }[operator]
    text = step(operator, tensors, attributes)
    outcome = outcome_of(text, "OFX712")
    assert outcome.journal and not outcome.complaint
    random = np.random.default_rng(0)
    feed = {"R": np.array(0.1, dtype=np.float32), "T": np.array(count)}
    names = [value.name for value in outcome.model.proto.graph.input][2:]
    feed |= {name: random.uniform(0.1, 2, (2, 3)).astype(np.float32) for name in names}
    for before, after in zip(evaluated(model_of(text), feed), evaluated(outcome.model.proto, feed), strict=True):
        np.testing.assert_allclose(after, before.astype(np.float32), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("operator", sorted(STATES))
def test_steps_in_tensorrt(operator: str) -> None:
    attributes = "norm_coefficient = 0.1"
    if operator == "Momentum":
        attributes += ', mode = "standard", alpha = 0.9, beta = 0.1'
    text = step(operator, 2, attributes, imports="")
    assert not builds(text)
    result = outcome_of(text, "OFX712").model.proto
    assert "" in {entry.domain for entry in result.opset_import}
    assert builds(result)
