"""Repairs in children of one process that has onnxfix loaded, which are killed at a chosen step or time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = """
import gc, json, os, sys, time
import onnxfix.api.repair
import onnxfix.model.save

CHANGES = ("os.rename", "os.remove", "os.link", "os.chmod", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

os.fsync = lambda _: None  # the system survives a kill, and the tests are faster

def stepping(folder, last, interrupt, begun):
    steps = [0]

    def step():
        steps[0] += 1
        if steps[0] == 1:
            begun()
        if steps[0] == last + 1:
            if interrupt:
                raise KeyboardInterrupt
            os.kill(os.getpid(), 9)

    def heard(event, arguments):
        if event in CHANGES or (event == "open" and (arguments[2] or 0) & WRITING):
            if isinstance(arguments[0], (str, os.PathLike)) and os.path.abspath(arguments[0]).startswith(folder):
                step()

    def stepped(function):
        def call(*arguments, **options):
            step()
            return function(*arguments, **options)
        return call

    sys.addaudithook(heard)
    for name in ("fsync", "copy_file_range", "write"):
        if hasattr(os, name):
            setattr(os, name, stepped(getattr(os, name)))
    return steps

warm = False
for line in sys.stdin:
    order = json.loads(line)
    if not warm:  # the rules are read once, and not in every child
        onnxfix.repair(order["repair"]["model"], dry_run=True, verify="none", target="rtx1.7")
        gc.freeze()
        warm = True
    read, write = os.pipe()
    child = os.fork()
    if not child:
        if order["limit"]:
            sys.modules["onnxfix.model.save"].PROTOBUF_LIMIT = order["limit"]
        tell, started = os.write, []

        def begun():
            started.append(time.monotonic())
            tell(write, b" ")

        steps = stepping(os.getcwd(), order["step"], order["interrupt"], begun)
        try:
            onnxfix.repair(verify="none", target="rtx1.7", **order["repair"])
        except KeyboardInterrupt:
            os._exit(INTERRUPTED)
        tell(write, f"{steps[0]} {time.monotonic() - started[0]}".encode())
        os._exit(0)
    os.close(write)
    if order["seconds"] is not None:
        os.read(read, 1)
        time.sleep(order["seconds"])
        os.kill(child, 9)
    status = os.waitpid(child, 0)[1]
    with open(read) as told:
        steps, seconds = told.read().split() or (0, 0)
    print(json.dumps([status, int(steps), float(seconds)]), flush=True)
"""


INTERRUPTED = 130


class Server:
    """Forks one child for each repair."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def repair(
        self,
        repair: dict[str, object],
        *,
        step: int = -1,
        interrupt: bool = False,
        seconds: float | None = None,
        limit: int = 0,
    ) -> tuple[int, int, float]:
        """A repair, killed before its step of that number, or so many seconds after the first one.

        Told are how it ended, and of one that came to its end the steps and the seconds that they took.

        With `interrupt` it gets a KeyboardInterrupt there, as by Ctrl-C, and ends with INTERRUPTED.
        A step changes something in the folder of the server: opens a file for writing, writes to or flushes a file
        without a buffer, renames, links, removes.  `limit` stands for protobuf's, in bytes.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = {"repair": repair, "step": step, "interrupt": interrupt, "seconds": seconds, "limit": limit}
        print(json.dumps(order), file=self.process.stdin)
        self.process.stdin.flush()
        status, steps, seconds = json.loads(self.process.stdout.readline())
        return status, steps, seconds


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server that works in a folder."""
    words = [sys.executable, "-W", "ignore", "-c", SERVER.replace("INTERRUPTED", str(INTERRUPTED))]
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Server(process)
        process.communicate()
