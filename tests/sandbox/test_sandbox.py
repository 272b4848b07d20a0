from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from onnxfix.errors import OnnxfixError
from onnxfix.sandbox import Sandbox, SandboxCrash, SandboxError, SandboxTimeout, default

SELF = "onnxfix.sandbox.selftest:"


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def descriptors() -> set[str]:
    return {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()}


def child_processes() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_result_and_keyword_arguments(shared: Sandbox) -> None:
    assert shared.call(SELF + "echo", value={"a": (1, 2.5, "x")}) == {"a": (1, 2.5, "x")}


def test_arrays_travel_both_ways_and_stay_writable(shared: Sandbox) -> None:
    array = numpy.arange(5_000_000, dtype=numpy.float32).reshape(50, 100_000)
    back = shared.call(SELF + "echo", {"x": array, "empty": numpy.zeros((0, 3), numpy.int8)})
    assert numpy.array_equal(back["x"], array)
    assert back["empty"].shape == (0, 3)
    back["x"][0, 0] = 7


@pytest.mark.parametrize(
    "name", ["os:system", "onnxfix.sandbox.selftest", "onnxfix:echo", "onnxfixed.a:b", "onnxfix.a:b.c"]
)
def test_only_functions_of_onnxfix(shared: Sandbox, name: str) -> None:
    with pytest.raises(ValueError, match="not a function of onnxfix"):
        shared.call(name)


def test_exception_comes_back_with_its_kind(shared: Sandbox) -> None:
    with pytest.raises(SandboxError) as caught:
        shared.call(SELF + "refuse", "by zero")
    assert (caught.value.kind, caught.value.message) == ("ZeroDivisionError", "by zero")
    assert "in refuse" in caught.value.__notes__[0]


def test_onnxfix_error_comes_back_as_itself(shared: Sandbox) -> None:
    with pytest.raises(OnnxfixError) as caught:
        shared.call(SELF + "refuse_input", "no such node", where="m.onnx", hint="look again")
    assert not isinstance(caught.value, SandboxError)
    assert str(caught.value) == "m.onnx: no such node (look again)"
    assert caught.value.hint == "look again"


def test_result_that_cannot_travel(shared: Sandbox) -> None:
    with pytest.raises(SandboxError) as caught:
        shared.call(SELF + "unpicklable")
    assert caught.value.kind in ("PicklingError", "AttributeError")
    assert shared.call(SELF + "echo", 1) == 1


def test_what_a_function_tells_reaches_the_caller_before_its_result(shared: Sandbox) -> None:
    told: list[int] = []
    assert shared.call("onnxfix.sandbox.selftest:count", 5, progress=told.append) == 5
    assert told == [0, 1, 2, 3, 4]
    assert shared.call("onnxfix.sandbox.selftest:count", 3) == 3
    assert shared.call("onnxfix.sandbox.selftest:echo", "next") == "next"


def test_a_caller_that_stops_listening_ends_the_child(shared: Sandbox) -> None:
    def stop(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shared.call("onnxfix.sandbox.selftest:count", 1000, 0.01, progress=stop)
    assert shared.call("onnxfix.sandbox.selftest:echo", "next") == "next"


def test_time_runs_while_a_function_tells(shared: Sandbox) -> None:
    with pytest.raises(SandboxTimeout):
        shared.call("onnxfix.sandbox.selftest:count", 1000, 0.05, timeout=0.5, progress=print)


def test_crash_names_the_signal_and_keeps_the_log(shared: Sandbox) -> None:
    with pytest.raises(SandboxCrash) as caught:
        shared.call(SELF + "segfault", "x" * 5000 + "last words")
    assert caught.value.signal == "SIGSEGV"
    assert caught.value.log.endswith("xlast words")
    assert len(caught.value.log) == 2000
    assert shared.call(SELF + "echo", 2) == 2


def test_silent_exit_is_a_crash(shared: Sandbox) -> None:
    with pytest.raises(SandboxCrash, match="exit code 3"):
        shared.call(SELF + "leave", 3)


def test_timeout_stops_the_child(shared: Sandbox) -> None:
    started = time.monotonic()
    with pytest.raises(SandboxTimeout, match=r"longer than 0.3 s"):
        shared.call(SELF + "sleep", 60, timeout=0.3)
    assert time.monotonic() - started < 30
    assert shared.call(SELF + "echo", 3) == 3


def test_child_found_dead_is_replaced() -> None:
    sandbox = Sandbox()
    sandbox.start()
    assert sandbox._child is not None
    os.kill(sandbox._child.process.pid, signal.SIGKILL)
    sandbox._child.process.wait()
    assert sandbox.call(SELF + "echo", 4) == 4
    sandbox.close()


def test_library_output_reaches_neither_terminal_nor_protocol(
    shared: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    shared.call(SELF + "chatter", "noise " * 20_000)
    assert shared.call(SELF + "echo", 5) == 5
    assert capfd.readouterr() == ("", "")


def test_child_starts_without_heavy_modules() -> None:
    sandbox = Sandbox()
    loaded = set(sandbox.call(SELF + "modules"))
    sandbox.close()
    assert not loaded & {"onnx", "numpy", "onnxruntime", "google", "rich", "yaml"}


def test_a_child_imports_and_calls_ahead_what_it_is_told_to() -> None:
    sandbox = Sandbox()
    sandbox.start("no_such_module", "json:no_such_function", "onnxfix.rewrite.expression", "yaml", SELF + "remember")
    assert {"ast", "yaml"} <= set(sandbox.call(SELF + "modules"))
    assert sandbox.call(SELF + "remembered") == 1
    sandbox.close()


def test_fifty_restarts_leak_nothing() -> None:
    sandbox = Sandbox()
    before, threads, children = descriptors(), threading.active_count(), child_processes()
    for _ in range(50):
        with pytest.raises(SandboxCrash):
            sandbox.call(SELF + "leave", 1)
    assert descriptors() == before
    assert threading.active_count() == threads
    assert child_processes() == children


def test_dropped_sandbox_ends_its_child() -> None:
    sandbox = Sandbox()
    sandbox.start()
    assert sandbox._child is not None
    process = sandbox._child.process
    del sandbox
    assert process.returncode == -signal.SIGKILL


def test_calls_from_several_threads_wait_in_line(shared: Sandbox) -> None:
    results: dict[int, int] = {}
    workers = [
        threading.Thread(target=lambda n=n: results.update({n: shared.call(SELF + "echo", n)})) for n in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == {n: n for n in range(8)}


def parent_script(body: str) -> subprocess.Popen[str]:
    head = """import sys, time
from onnxfix.sandbox import default
default().start()
pid = default()._child.process.pid
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", head + body],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def test_no_main_guard_is_needed_and_child_ends_with_the_interpreter() -> None:
    with parent_script("print(pid, default().call('onnxfix.sandbox.selftest:echo', 6))") as parent:
        out, err = parent.communicate(timeout=30)
    pid, result = out.split()
    assert (result, err, parent.returncode) == ("6", "", 0)
    assert ends(int(pid))


def test_ctrl_c_kills_the_child_quietly() -> None:
    with parent_script(
        """
try:
    print(pid, flush=True)
    default().call('onnxfix.sandbox.selftest:sleep', 60)
except KeyboardInterrupt: print('stopped')
"""
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        parent.send_signal(signal.SIGINT)
        out, err = parent.communicate(timeout=30)
    assert (out, err) == ("stopped\n", "")
    assert ends(pid)


def test_killed_parent_leaves_no_child() -> None:
    with parent_script("print(pid, flush=True); time.sleep(60)") as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert ends(pid)


def test_default_is_one_sandbox() -> None:
    assert default() is default()
