"""The child process, `python -m onnxfix.sandbox.child [MODULE[:FUNCTION]]...`: imports modules, calls functions, and
imports nothing heavy else until a request needs it."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import select
import signal
import sys
import threading
import time
import traceback
from _thread import interrupt_main
from typing import Any, BinaryIO

from onnxfix.errors import OnnxfixError
from onnxfix.sandbox import progress, wire

MEMORY_SHARE = 0.8  # of the machine's memory that the child may allocate
GRACE_SECONDS = 5  # after the time limit: only reached when the parent is gone and cannot stop the child
LAST_SECONDS = 2  # in which a function may clean up when the parent is gone


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers calls until the parent closes its end; what a function tells meanwhile goes ahead of its answer."""
    progress.listen(lambda value: wire.send(replies, wire.encode(("progress", value))))
    while True:
        try:
            function, args, kwargs, timeout = wire.receive(requests)
        except EOFError:
            return
        _forget_log()
        _alarm(math.ceil(timeout) + GRACE_SECONDS)
        reply = _answer(function, args, kwargs)
        _alarm(0)
        wire.send(replies, reply)


def _answer(function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[wire.Part]:
    module, _, name = function.partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(*args, **kwargs)
        return wire.encode(("result", result))
    except OnnxfixError as error:
        return wire.encode(("onnxfix", error))
    except (Exception, SystemExit) as error:
        return wire.encode(("error", (type(error).__name__, str(error), traceback.format_exc())))


def _get_ready(names: list[str]) -> None:
    """Imports and calls what the first request will need, while the parent prepares it; that request tells mistakes."""
    for name in names:
        module, _, function = name.partition(":")
        with contextlib.suppress(Exception):
            found = importlib.import_module(module)
            if function:
                getattr(found, function)()


def _forget_log() -> None:
    """Empties the log file, so that it holds the output of the newest call only."""
    sys.stderr.flush()
    os.ftruncate(2, 0)
    os.lseek(2, 0, os.SEEK_SET)


def _alarm(seconds: int) -> None:
    if sys.platform != "win32":
        signal.alarm(seconds)


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Moves the protocol off the descriptors 0 and 1; whatever a C library prints goes to the log (2)."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


def _end_with_parent(requests: BinaryIO) -> None:
    """Interrupts the call that runs when the parent goes, and ends the process soon after: nobody waits for the result.

    A pipe that is polled for nothing tells only that its other end was closed.
    """
    poll = select.poll()
    poll.register(requests, 0)
    poll.poll()
    interrupt_main()
    time.sleep(LAST_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _limit_resources() -> None:
    """No core dumps, and no more memory than most of the machine's: a hostile model must not take the rest down."""
    if sys.platform != "win32":
        import resource

        memory = int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        for limit, wanted in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, memory)):
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    _limit_resources()
    pipes = _claim_pipes()
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process inherits that it is ignored
        threading.Thread(target=_end_with_parent, args=pipes[:1], daemon=True).start()
    _get_ready(sys.argv[1:])
    serve(*pipes)
