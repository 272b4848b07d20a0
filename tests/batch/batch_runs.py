"""Models for batches, and workers in which the names of models decide what happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import onnx

SICK = """<ir_version: 8, opset_import: ["" : 11]>
g (float[1,3,4,4] x) => (float[1,3,8,8] y)
{ y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x) }"""
WELL = """<ir_version: 8, opset_import: ["" : 13]>
g (float[2,3] x) => (float[2,3] y) { [relu] y = Relu (x) }"""

QUICK = ("--target", "rtx1.7", "--verify", "none")
"""A repair that asks nobody."""

SITE = """import os, sys
if "onnxfix.sandbox.child" in " ".join(sys.orig_argv) and os.environ.get("PLANTED"):
    import pathlib, signal, time
    from onnxfix.batch import verbs

    def planted(verb):
        def act(task):
            name = pathlib.Path(task.place).name
            with open(os.environ["PLANTED"], "a", errors="backslashreplace") as log:
                log.write(f"{os.getpid()} {task.place}\\n")
            if name.startswith("crash"):
                os.kill(os.getpid(), signal.SIGSEGV)
            if name.startswith("gone"):
                os.kill(os.getpid(), signal.SIGKILL)
            if name.startswith("orphan"):
                os.kill(os.getppid(), signal.SIGKILL)
            if name.startswith("bug"):
                raise ZeroDivisionError("planted")
            if name.startswith("deaf"):
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            if name.startswith(("hang", "deaf")):
                time.sleep(1000)
            if name.startswith("large"):
                held = bytearray(os.urandom(1)) * 400_000_000
                time.sleep(2.5)
            if name.startswith("slow"):
                told = open(os.environ["PLANTED"] + ".times", "a", buffering=1)
                told.write(f"{time.monotonic()} {task.place}\\n")
                time.sleep(0.3)
                told.write(f"{time.monotonic()} {task.place}\\n")
                told.close()
            return verb(task)
        return act

    verbs.VERBS = {name: planted(verb) for name, verb in verbs.VERBS.items()}
"""


def plant(folder: Path) -> dict[str, str]:
    """The environment of a batch whose workers look at names; `performed` in it tells what they did."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join(filter(None, (str(folder / "site"), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": path, "PLANTED": str(folder / "performed")}


def performed(folder: Path) -> list[tuple[int, str]]:
    """(worker, model) of everything that was begun."""
    log = folder / "performed"
    pairs = (line.split(" ", 1) for line in (log.read_text().splitlines() if log.exists() else ()))
    return [(int(worker), place) for worker, place in pairs]


def save(folder: Path, *names: str, text: str = SICK) -> list[str]:
    """Models of these names below `folder`, and their paths."""
    data = onnx.parser.parse_model(text).SerializeToString()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in names]


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command in `folder`, in a process group of its own."""
    words = [sys.executable, "-m", "onnxfix", *arguments]
    own = {"ONNXFIX_CACHE": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}  # nothing else comes into the folder
    environment = {**os.environ, **own, **options.pop("env", {})}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(words, cwd=folder, env=environment, text=True, start_new_session=True, **streams)


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The same, to its end."""
    process = start(folder, *arguments, **options)
    out, err = process.communicate(timeout=180)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_until(condition: Any, seconds: float = 30.0) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def alive(process: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
