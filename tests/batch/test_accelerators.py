"""Targets become what Ray calls their devices."""

from __future__ import annotations

from typing import Any

import pytest

from onnxfix.batch.accelerators import _NAMES, demand_of
from onnxfix.batch.task import Task
from onnxfix.errors import OnnxfixError
from onnxfix.targets import devices

CPU = {"CPU": 8.0, "memory": 1e9}
T4 = {**CPU, "GPU": 1.0, "accelerator_type:T4": 1.0}
L4 = {**CPU, "GPU": 2.0, "accelerator_type:L4": 1.0}
L40S = {**CPU, "GPU": 1.0, "accelerator_type:L40S": 1.0}
ORIN = {**CPU, "sm87": 2.0}


def repair(target: str | None, **settings: Any) -> Task:
    return Task("a.onnx", "repair", {"target": target, **settings})


def test_every_device_that_ray_names_is_in_the_fact_base() -> None:
    assert set(_NAMES) <= set(devices())


@pytest.mark.parametrize(
    ("target", "nodes", "asked"),
    [
        (None, [T4], {}),
        ("trt10.13", [T4], {}),
        ("t4@trt10.13", [CPU, L4, T4], {"accelerator_type:T4": 0.001, "GPU": 1}),
        ("trt10.13@sm89", [T4, L40S], {"accelerator_type:L40S": 0.001, "GPU": 1}),
        ("trt10.13@sm89", [L40S, L4], {"accelerator_type:L4": 0.001, "GPU": 1}),
        ("jetson-agx-orin", [T4, ORIN], {"sm87": 1}),
        ("jetson-agx-orin", [{**ORIN, "jetson-agx-orin": 1.0, "GPU": 1.0}], {"jetson-agx-orin": 1, "GPU": 1}),
        ("rtx1.7@sm89", [CPU, L4], {"accelerator_type:L4": 0.001, "GPU": 1}),
        ("rtx1.7@sm89", [CPU, T4], {}),
    ],
)
def test_a_target_asks_for_its_device(
    target: str | None, nodes: list[dict[str, float]], asked: dict[str, float]
) -> None:
    assert demand_of(repair(target), nodes) == asked


def test_a_device_that_no_worker_has_is_told_at_once() -> None:
    with pytest.raises(
        OnnxfixError, match=r"no worker of the cluster has t4 \(start one with t4 or accelerator_type:T4"
    ):
        demand_of(repair("t4@trt10.13"), [CPU, L4])
    with pytest.raises(OnnxfixError, match=r"has compute capability 9\.0"):
        demand_of(repair("trt10.13@sm90"), [CPU])


@pytest.mark.parametrize("verify", ["none", "numeric"])
def test_without_an_engine_any_worker_will_do(verify: str) -> None:
    assert demand_of(repair("t4@trt10.13", verify=verify), [CPU]) == {}


def test_a_check_asks_for_the_device_of_its_targets() -> None:
    one = Task("a.onnx", "check", {"targets": ["t4@trt10.13", "trt8.6"]})
    assert demand_of(one, [T4]) == {"accelerator_type:T4": 0.001, "GPU": 1}
    static = Task("a.onnx", "check", {"targets": ["t4@trt10.13", "l4@trt10.13"], "ask_target": False})
    assert demand_of(static, [CPU]) == {}
    both = Task("a.onnx", "check", {"targets": ["t4@trt10.13", "l4@trt10.13", ""]})
    with pytest.raises(OnnxfixError, match="on one device"):
        demand_of(both, [T4, L4])
