"""Execution on a make-believe GPU (fake_gpu.py): contexts, buffers, refusals. tests/gpu runs the real one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from fake_driver import FakeDriver
from fake_gpu import FakeEngine, Program, fake_tensorrt, io

from onnxfix.engine import Flavour, cuda, deserialize, execute
from onnxfix.engine.cuda import ExecutionFailed, open_device
from onnxfix.engine.execute import Engine
from onnxfix.errors import OnnxfixError

PLAN = b"a plan"
Make = Callable[..., FakeEngine]
RELU_IO = (io("x", "float32", (2, 3)), io("y", "float32", (2, 3), output=True))


def relu(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"y": np.maximum(inputs["x"], 0)}


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    """Every test must leave no context on the stack and no memory behind."""
    fake = FakeDriver()
    monkeypatch.setattr(cuda, "_driver", lambda: fake)
    monkeypatch.setattr(cuda, "_devices", {})
    monkeypatch.setattr(execute, "choose", lambda _: Flavour("tensorrt_rtx", "9"))
    yield fake
    assert not fake.stack
    assert fake.pushes == fake.pops
    assert not fake.live, "memory was left behind"


@pytest.fixture
def plan(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(tensors: tuple[Any, ...] = RELU_IO, program: Program = relu, **more: Any) -> FakeEngine:
        engine = FakeEngine(tensors, program, **more)
        module = fake_tensorrt({PLAN: engine})
        monkeypatch.setattr(deserialize, "load", lambda _: module)
        return engine

    assert driver.stack == []
    return make


def test_runs_and_gives_everything_back(plan: Make) -> None:
    plan()
    x = np.array([[-1, 2, -3], [4, -5, 6]], np.float32)
    with Engine(PLAN) as engine:
        first = engine.run({"x": x})["y"]
        assert np.array_equal(engine.run({"x": -x})["y"], np.maximum(-x, 0)), "buffers are used again"
        assert np.array_equal(first, np.maximum(x, 0)), "and results are not overwritten"
        assert engine.device == "Fake (compute capability 8.9)"
        assert [tensor.name for tensor in (*engine.inputs, *engine.outputs)] == ["x", "y"]
    engine.close()
    with pytest.raises(OnnxfixError, match="closed"):
        engine.run({"x": x})


def test_forgotten_engine_is_closed_by_the_collector(plan: Make, driver: FakeDriver) -> None:
    plan()
    engine = Engine(PLAN)
    engine.run({"x": np.ones((2, 3), np.float32)})
    del engine
    assert not driver.live


def test_several_threads_wait_in_line(plan: Make) -> None:
    plan()
    wrong: list[float] = []

    def work(value: int) -> None:
        for _ in range(20):
            got = engine.run({"x": np.full((2, 3), value, np.float32)})["y"]
            wrong.extend(got[got != value])

    with Engine(PLAN) as engine:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_sizes_grow_and_shrink(plan: Make) -> None:
    span = (((1, 3), (2, 3), (64, 3)),)
    plan((io("x", "float32", (-1, 3), ranges=span), io("y", "float32", (-1, 3), output=True)))
    with Engine(PLAN) as engine:
        for size in (2, 64, 1, 33):
            assert engine.run({"x": np.full((size, 3), size, np.float32)})["y"].tolist() == [[size] * 3] * size


def test_profile_is_chosen_by_the_sizes(plan: Make) -> None:
    spans = (((1, 3), (1, 3), (4, 3)), ((5, 3), (8, 3), (16, 3)))
    fake = plan(
        (io("x", "float32", (-1, 3), ranges=spans), io("y", "float32", (-1, 3), output=True)),
        num_optimization_profiles=2,
    )
    with Engine(PLAN) as engine:
        engine.run({"x": np.ones((6, 3), np.float32)})
        engine.run({"x": np.ones((7, 3), np.float32)})
        engine.run({"x": np.ones((2, 3), np.float32)})
        assert fake.contexts[0].profiles == [1, 0]
        with pytest.raises(OnnxfixError, match=r"shape \[17, 3\] and the engine takes \[1, 3\] to .* or \[5, 3\]"):
            engine.run({"x": np.ones((17, 3), np.float32)})


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "there is no array for the input 'x'"),
        ({"x": np.ones((2, 3), np.float32), "z": np.ones(1)}, "the array 'z' is no input of the engine"),
        ({"x": np.ones((2, 3))}, r"the array 'x' is float64 and the engine takes float32 \(convert it"),
        ({"x": np.ones((3, 2), np.float32)}, r"the array 'x' has the shape \[3, 2\] and the engine takes \[2, 3\]"),
        ({"x": np.ones(6, np.float32)}, r"shape \[6\] and the engine takes \[2, 3\]"),
    ],
)
def test_inputs_that_do_not_fit(arrays: dict[str, Any], words: str, plan: Make) -> None:
    plan()
    with Engine(PLAN) as engine, pytest.raises(OnnxfixError, match=words):
        engine.run(arrays)


def test_shape_input_is_read_from_host_memory(plan: Make) -> None:
    values = io("s", "int64", (2,), host=True, values=True, ranges=(((1, 1), (2, 2), (8, 8)),))
    made = io("y", "int64", (-1, -1), output=True)
    plan((values, made), lambda inputs: {"y": np.ones(tuple(inputs["s"]), np.int64)})
    with Engine(PLAN) as engine:
        assert engine.run({"s": np.array([3, 4])})["y"].shape == (3, 4)
        with pytest.raises(OnnxfixError, match=r"has the values \[9, 1\] and the engine takes \[1, 1\] to \[8, 8\]"):
            engine.run({"s": np.array([9, 1])})


def test_output_whose_size_depends_on_data(plan: Make) -> None:
    tensors = (io("x", "float32", (4,)), io("y", "int64", (1, -1), output=True))
    plan(tensors, lambda inputs: {"y": np.stack(np.nonzero(inputs["x"]))}, data_dependent=("y",))
    with Engine(PLAN) as engine:
        for values in ([0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]):
            got = engine.run({"x": np.array(values, np.float32)})["y"]
            assert got.tolist() == [np.nonzero(np.array(values))[0].tolist()]
        assert engine.time({"x": np.ones(4, np.float32)}, 3, 1).iterations == 3


def test_cache_that_is_updated_in_place(plan: Make) -> None:
    tensors = (io("past", "float32", (4,)), io("present", "float32", (4,), output=True))
    plan(tensors, lambda inputs: {"present": inputs["past"] + 1}, aliases={"present": "past"})
    with Engine(PLAN) as engine:
        for start in (0, 5):
            past = np.full(4, start, np.float32)
            assert engine.run({"past": past})["present"].tolist() == [start + 1] * 4
            assert past.tolist() == [start] * 4, "the caller's array is not changed"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "int64", "bool", "float32"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,)])
def test_types_and_shapes(dtype: str, shape: tuple[int, ...], plan: Make) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype)
    plan((io("x", dtype, shape), io("y", dtype, shape, output=True)), lambda inputs: {"y": inputs["x"]})
    x = np.ones(shape, kind)
    with Engine(PLAN) as engine:
        y = engine.run({"x": x})["y"]
    assert (y.dtype, y.shape, y.tobytes()) == (kind, shape, x.tobytes())


def test_full_gpu(plan: Make, driver: FakeDriver) -> None:
    plan()
    driver.capacity = 60
    with Engine(PLAN) as engine, pytest.raises(OnnxfixError, match="the GPU has not enough memory: "):
        engine.run({"x": np.ones((2, 3), np.float32)})


def test_full_gpu_inside_the_execution(plan: Make, driver: FakeDriver) -> None:
    tensors = (io("x", "float32", (4,)), io("y", "float32", (-1,), output=True))
    plan(tensors, lambda inputs: {"y": np.tile(inputs["x"], 1000)}, data_dependent=("y",))
    driver.capacity = 1000
    with Engine(PLAN) as engine, pytest.raises(OnnxfixError, match=r"the GPU has not enough memory: 0\.02 MB more"):
        engine.run({"x": np.ones(4, np.float32)})


def test_refused_execution(plan: Make) -> None:
    plan(refuses="[executionContext.cpp] something broke")
    with Engine(PLAN) as engine, pytest.raises(ExecutionFailed, match=r"does not run the engine: .*something broke"):
        engine.run({"x": np.ones((2, 3), np.float32)})
    plan(refuses="Cuda Runtime (out of memory)")
    with Engine(PLAN) as engine, pytest.raises(OnnxfixError, match="the GPU has not enough memory"):
        engine.run({"x": np.ones((2, 3), np.float32)})


def test_plan_that_is_none(plan: Make, tmp_path: Path) -> None:
    plan()
    with pytest.raises(OnnxfixError, match=r"TensorRT-RTX 9 does not load the plan: .*magic tag"):
        Engine(b"another")
    with pytest.raises(OnnxfixError, match="cannot be read: No such file"):
        Engine(tmp_path / "none.plan")


def test_fork_is_noticed(plan: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    plan()
    engine = Engine(PLAN)
    real = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: real + 1)
    for use in (lambda: engine.run({"x": np.ones((2, 3), np.float32)}), open_device):
        with pytest.raises(OnnxfixError, match=r"forked after CUDA was initialised.*'spawn'"):
            use()
    monkeypatch.undo()
    engine.close()


def test_timing(plan: Make) -> None:
    plan()
    with Engine(PLAN) as engine:
        timing = engine.time({"x": np.ones((2, 3), np.float32)}, iterations=5, warmup=2)
    assert (timing.iterations, timing.warmup, timing.median, timing.p95) == (5, 2, 1.5, 1.5)
    assert (timing.copy_in, timing.compute, timing.copy_out) == (0.5, 0.5, 0.5)
    assert timing.throughput > 0


def test_graph_is_captured_once_for_given_sizes(plan: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    captured, launched = list[Any](), list[int]()

    class Graph:
        def __init__(self, stream: int, work: Callable[[], bool]) -> None:
            captured.append(work)
            self.launch, self.free = lambda _: launched.append(stream) or work(), lambda: captured.append("freed")

    monkeypatch.setattr(execute, "Graph", Graph)
    plan((io("x", "float32", (-1,), ranges=(((1,), (2,), (9,)),)), io("y", "float32", (-1,), output=True)))
    with Engine(PLAN, cuda_graph=True) as engine:
        for size in (2, 2, 5, 5):
            assert engine.run({"x": np.full(size, size, np.float32)})["y"].tolist() == [size] * size
        assert (len(launched), captured.count("freed"), len(captured)) == (4, 1, 3)
    assert captured.count("freed") == 2


def test_without_pycuda() -> None:
    if cuda.installed():
        pytest.skip("PyCUDA is installed here")
    with pytest.raises(OnnxfixError, match=r"PyCUDA is not installed \(pip install 'onnxfix\[gpu\]'"):
        open_device()
