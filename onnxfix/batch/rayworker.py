"""What runs in a worker of a Ray cluster: one order, done in a child process; nothing of Ray is imported."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from onnxfix import __version__
from onnxfix.batch import baggage
from onnxfix.batch.near import renamed
from onnxfix.batch.task import Line, Task, failure, line
from onnxfix.errors import OnnxfixError
from onnxfix.sandbox import Sandbox, SandboxCrash, SandboxTimeout
from onnxfix.scratch import scratch


def work(order: Mapping[str, Any], files: baggage.Files | None) -> dict[str, Any]:
    """The reply to an order.

    `order` has the `version` of onnxfix that gives it, the fields of a `task`, the time limit `seconds`, and what the
    worker must see to do it where it is: `seen`, local files by their states, and `token`, a file or "".  `files`
    are the contents of the task's local files, None when they have not been sent.  The reply has one of: `version`
    (another one is installed here) with `node`; `unseen` (the files have to be sent); the `line`, and `files` made.
    """
    if order["version"] != __version__:
        return {"version": __version__, "node": platform.node()}
    task = Task(**order["task"])
    if files is not None:
        try:
            return _done_with(files, task, order["seconds"])
        except (OnnxfixError, OSError) as error:  # this machine's disk, or a result that cannot travel
            failed = failure("internal", f"{task.place}: on the worker {platform.node()}: {error}")
            return {"line": line(task, failed, 0.0), "files": {}}
    if not baggage.are_seen(order["seen"]) or not (order["token"] == "" or Path(order["token"]).exists()):
        return {"unseen": True}
    return {"line": _done(task, order["seconds"]), "files": {}}


def _done_with(files: baggage.Files, task: Task, seconds: float) -> dict[str, Any]:
    """Do a task with the files that were sent for it."""
    with scratch() as home:
        own, names = baggage.unpacked(task, files, home)
        done = _done(own, seconds)
        return {"line": renamed(done, names), "files": baggage.results(home, files)}


def _done(task: Task, seconds: float) -> Line:
    """The line of a task, done in a child process that may crash or hang."""
    try:
        done: Line = _sandbox().call("onnxfix.batch.task:perform", task, timeout=seconds)
        return done
    except SandboxTimeout:
        return line(task, failure("timeout", f"{task.place}: took longer than {seconds:g} s"), seconds)
    except SandboxCrash as error:
        return line(task, failure("crashed", f"{task.place}: crashed: {error.signal}"), 0.0)


@cache
def _sandbox() -> Sandbox:
    return Sandbox()
