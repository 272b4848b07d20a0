"""Threads, processes, neighbours and a thousand loads."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gpu_fixtures import Open, Plan

from onnxfix.engine.cuda import open_device
from onnxfix.engine.execute import Engine
from onnxfix.errors import OnnxfixError

SCALE = "g (float[64,64] x) => (float[64,64] y) <float[1] two = {2}> { y = Mul(x, two) }"
LOADS = 1000


def ones(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.full((64, 64), value, np.float32)


def test_engine_shared_by_threads(engine: Open) -> None:
    loaded = engine(SCALE)
    assert in_threads(lambda value: loaded.run({"x": ones(value)})["y"].max() == 2 * value)


def test_engine_for_each_thread(plan: Plan) -> None:
    path = plan(SCALE)

    def work(value: float) -> bool:
        with Engine(path) as own:
            return all(bool((own.run({"x": ones(value)})["y"] == 2 * value).all()) for _ in range(20))

    assert in_threads(work)


def test_engine_made_in_one_thread_and_closed_in_another(plan: Plan) -> None:
    path, made = plan(SCALE), list[Engine]()
    thread = threading.Thread(target=lambda: made.append(Engine(path)))
    thread.start()
    thread.join()
    assert made[0].run({"x": ones(3)})["y"].max() == 6
    thread = threading.Thread(target=made[0].close)
    thread.start()
    thread.join()
    with pytest.raises(OnnxfixError, match="closed"):
        made[0].run({"x": ones(3)})


def in_threads(work: object) -> bool:
    assert callable(work)
    results: list[bool] = []
    threads = [threading.Thread(target=lambda v=value: results.append(bool(work(v)))) for value in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results == [True] * 8


def run_in_process(path: str, value: float) -> float:
    with Engine(Path(path)) as engine:
        return float(engine.run({"x": ones(value)})["y"].max())


def test_processes_side_by_side(plan: Plan) -> None:
    path = str(plan(SCALE))
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(run_in_process, [path] * 6, range(6))) == [0, 2, 4, 6, 8, 10]


def test_fork_after_cuda_is_noticed(engine: Open) -> None:
    loaded = engine(SCALE)
    loaded.run({"x": ones(1)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of forks beside threads
        child = os.fork()
    if child == 0:
        try:
            loaded.run({"x": ones(1)})
        except OnnxfixError as error:
            os._exit(0 if "forked after CUDA was initialised" in str(error) else 3)
        os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert loaded.run({"x": ones(4)})["y"].max() == 8, "the parent is not harmed"


FOREIGN_FORK = """
import ctypes, os, sys
from onnxfix.engine.cuda import open_device
from onnxfix.errors import OnnxfixError
assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
if os.fork() == 0:
    try:
        open_device()
    except OnnxfixError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""


def test_fork_after_cuda_of_another_library() -> None:
    done = subprocess.run([sys.executable, "-c", FOREIGN_FORK], capture_output=True, text=True, timeout=120)
    assert "this process was forked after CUDA was initialised" in done.stdout, done.stdout + done.stderr


def test_beside_pytorch(engine: Open) -> None:
    torch = pytest.importorskip("torch")
    before = torch.arange(4, device="cuda")
    loaded = engine(SCALE)
    assert loaded.run({"x": ones(2)})["y"].max() == 4
    during = (before + 1).sum().item()
    assert loaded.run({"x": ones(3)})["y"].max() == 6
    loaded.close()
    assert (during, (before * 2).sum().item()) == (10, 12), "PyTorch's context is as it was"


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_thousand_loads_leave_nothing_behind(plan: Plan) -> None:
    data, device = plan(SCALE).read_bytes(), open_device()

    def load(times: int) -> tuple[int, int]:
        for _ in range(times):
            with Engine(data) as engine:
                assert engine.run({"x": ones(1)})["y"][0, 0] == 2
        with device.active():
            return device.memory()[0], resident()

    free, used = load(50)  # the libraries' own pools fill up first
    free_after, used_after = load(LOADS)
    print(f"{LOADS} loads: GPU {(free - free_after) / 1e6:.1f} MB, host {(used_after - used) / 1e6:.1f} MB more")
    assert free - free_after < 32 << 20
    assert used_after - used < 100 << 20
