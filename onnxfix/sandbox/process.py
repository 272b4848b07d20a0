"""The parent's side: one child process, one call at a time."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxfix.errors import OnnxfixError
from onnxfix.sandbox import wire
from onnxfix.sandbox.errors import SandboxCrash, SandboxError, SandboxTimeout

LOG_CHARACTERS = 2000
_FUNCTION = re.compile(r"(onnxfix|benchmarks)(\.[A-Za-z_]\w*)+:[A-Za-z_]\w*")


class Sandbox:
    """A child process that runs functions of onnxfix. Safe to use from several threads (calls wait in line).

    A child that died or was stopped is replaced by the next call. The child ends with this object, with
    `close()`, with the interpreter, and when the parent dies.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """`environment` has variables that the child gets beside those of this process."""
        self._environment = dict(environment or {})
        self._lock = threading.RLock()
        self._child: _Child | None = None
        self._closer: weakref.finalize[Any, Any] | None = None

    def start(self, *names: str) -> None:
        """Starts the child, if there is none, without waiting until it is ready.

        It first imports each module that is named ("onnxfix.package.module"), and calls each function
        ("onnxfix.package.module:name") without arguments.
        """
        with self._lock:
            self._running(names)

    def call(
        self,
        function: str,
        *args: Any,
        timeout: float = 120.0,
        progress: Callable[[Any], object] | None = None,
        **kwargs: Any,
    ) -> Any:
        """The result of `function` ("onnxfix.package.module:name"), run in the child.

        Arguments and result travel as pickles. `timeout` is in seconds. `progress` is called, in this thread,
        with what the function gives to `progress.tell`. Raises ValueError for a function outside onnxfix and its
        benchmarks, OnnxfixError as the function raised it, SandboxError for its other
        exceptions, SandboxCrash when the child died and SandboxTimeout when the call took too long.
        """
        if not _FUNCTION.fullmatch(function):
            raise ValueError(f"not a function of onnxfix: {function!r}")
        parts = wire.encode((function, args, kwargs, timeout))
        with self._lock:
            kind, value = self._exchange(function, parts, timeout, progress or _ignore)
        if kind == "onnxfix" and isinstance(value, OnnxfixError):
            raise value
        if kind == "error":
            name, message, trace = value
            failure = SandboxError(name, message)
            failure.add_note(trace)
            raise failure
        return value

    @property
    def process_id(self) -> int:
        """The number of the child's process, 0 when there is no child."""
        return self._child.process.pid if self._child else 0

    def stop(self, *, gently: bool = False) -> None:
        """Ends what the child does now, from another thread, whose call raises SandboxCrash.

        With `gently` the function sees KeyboardInterrupt, and may clean up as long as it likes.
        """
        if child := self._child:
            child.interrupt() if gently else child.kill()

    def close(self) -> None:
        """Ends the child at once; a later call starts another one."""
        with self._lock:
            if self._closer is not None:
                self._closer()
            self._child = self._closer = None

    def _running(self, names: Sequence[str] = ()) -> _Child:
        if self._child is None or self._child.process.poll() is not None:
            self.close()
            self._child = _Child(self._environment, names)
            self._closer = weakref.finalize(self, self._child.close)
        return self._child

    def _exchange(
        self, function: str, parts: list[wire.Part], timeout: float, progress: Callable[[Any], object]
    ) -> tuple[str, Any]:
        child, late = self._running(), threading.Event()
        timer = threading.Timer(timeout, child.stop, [late])
        timer.daemon = True
        timer.start()
        try:
            reply = child.ask(parts, progress)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            reason, log = child.wait(), child.log()
            self.close()
            if late.is_set():
                raise SandboxTimeout(function, timeout, log) from None
            raise SandboxCrash(function, reason, log) from None
        except BaseException:  # Ctrl-C, or a reply that cannot be read: the pipe is out of step from here on
            self.close()
            raise
        finally:
            timer.cancel()
            timer.join()
        return reply


class _Child:
    """One child process with its log file."""

    def __init__(self, environment: Mapping[str, str], names: Sequence[str]) -> None:
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "onnxfix.sandbox.child", *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": path, **environment},
            process_group=None if sys.platform == "win32" else 0,
        )

    def ask(self, parts: list[wire.Part], progress: Callable[[Any], object]) -> tuple[str, Any]:
        """Sends a request and waits for the reply, handing on what is told before it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        wire.send(self.process.stdin, parts)  # type: ignore[arg-type]
        while True:
            kind, value = wire.receive(self.process.stdout)  # type: ignore[arg-type]
            if kind != "progress":
                return kind, value
            progress(value)

    def stop(self, late: threading.Event) -> None:
        """Ends a child that is over time; the reader then sees the end of the pipe."""
        late.set()
        self.kill()

    def wait(self) -> str:
        """Waits for the end of a child that closed its pipe: its signal by name, or its exit code."""
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self.process.wait()
        if code >= 0:
            return f"exit code {code}"
        return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"

    def log(self) -> str:
        """The end of what was written to stdout and stderr during the call."""
        size = os.fstat(self._log.fileno()).st_size
        self._log.seek(max(0, size - 4 * LOG_CHARACTERS))
        return self._log.read().decode(errors="replace")[-LOG_CHARACTERS:]

    def close(self) -> None:
        """Ends the child and frees its pipes and its log file."""
        self.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # a request that the child never read
                    stream.close()

    def interrupt(self) -> None:
        """Sends the child what Ctrl-C sends; where there is no such signal, ends it."""
        if sys.platform == "win32":
            self.kill()
        elif self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Ends the child and its process group."""
        if self.process.poll() is not None:
            return
        if sys.platform == "win32":
            self.process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def _ignore(_: Any) -> None:
    """For callers that do not want to know."""


@functools.cache
def default() -> Sandbox:
    """The sandbox of ONNX Runtime and TensorRT; its child starts with the first call or `start()`."""
    return Sandbox()


@functools.cache
def checker() -> Sandbox:
    """The sandbox of onnx's checker and shape inference, which every run needs.

    It is another child because a checker that runs out of memory ends at once in a process that holds nothing
    else, and can take minutes beside TensorRT and ONNX Runtime.  It multiplies no matrices: numpy needs no threads.
    """
    return Sandbox({"OPENBLAS_NUM_THREADS": "1"})


@functools.cache
def full_precision() -> Sandbox:
    """The sandbox of engines whose numbers are compared: TF32 is off in it.

    TensorRT-RTX 1.6.1 rounds float32 to TF32 in products and convolutions whatever the builder's TF32 flag says; this
    variable turns it off. It must be the same for the build and for the run, or the engine does not load.
    """
    return Sandbox({"NVIDIA_TF32_OVERRIDE": "0"})
