"""Softmax, LogSoftmax and Hardmax across opset 13, where the meaning of their axis changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

TEXT = """<ir_version: 7, opset_import: ["" : {opset}]> g (float[{dims}] x) => (float[{dims}] y)
{{ y = {operator} <axis = {axis}> (x) }}"""


@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize(("start", "to"), [(12, 13), (11, 18), (13, 12), (13, 9)])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 1), (2, 3, 4, 2), (2, 3, 1, 1)])
def test_every_axis(
    convert: Any, run: Any, random: Any, operator: str, start: int, to: int, shape: tuple[int, ...]
) -> None:
    x = random.normal(size=shape).astype(np.float32)
    for axis in range(-len(shape), len(shape)):
        text = TEXT.format(opset=start, dims=",".join(map(str, shape)), operator=operator, axis=axis)
        np.testing.assert_allclose(run(convert(text, to), x=x)[0], run(text, x=x)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("start", "to"), [(12, 13), (13, 12)])
def test_default_axis_is_written_out(convert: Any, run: Any, random: Any, start: int, to: int) -> None:
    x = random.normal(size=(2, 3, 4)).astype(np.float32)
    text = TEXT.format(opset=start, dims="2,3,4", operator="Softmax", axis=0).replace("<axis = 0>", "")
    np.testing.assert_allclose(run(convert(text, to), x=x)[0], run(text, x=x)[0], rtol=1e-5, atol=1e-6)


def test_last_axis_keeps_the_node(convert: Any) -> None:
    model = convert(TEXT.format(opset=12, dims="2,3,1,1", operator="Softmax", axis=1), 13)
    assert [node.op_type for node in model.graph.node] == ["Softmax"]


def test_unknown_rank_goes_up_but_not_down(plan: Any) -> None:
    text = """<ir_version: 7, opset_import: ["" : {opset}]> g (float[2,3] x, int64[N] n) => (float[] y)
    {{ r = Reshape (x, n)
       y = Softmax <axis = 1> (r) }}"""
    up, down = plan(text.format(opset=12), 13), plan(text.format(opset=13), 12)
    assert not up.blockers
    assert "rank" in down.blockers[0].reason
