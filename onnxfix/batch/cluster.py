"""The executor of a Ray cluster: each task is a Ray task on a worker that has what it needs.

Ray starts a task again when its worker or node dies.  A line is written by who runs the batch alone, so that no task
has two.  Local files that a worker does not see are sent to it, and its results come back: baggage.py.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from onnxfix import __version__
from onnxfix.batch import accelerators, baggage, memory, rayworker
from onnxfix.batch.connection import RETRIES, SEE, connected, lines_of
from onnxfix.batch.contents import contents_of
from onnxfix.batch.near import renamed
from onnxfix.batch.task import Line, Task, failure, line
from onnxfix.batch.urls import label
from onnxfix.batch.watch import Watch
from onnxfix.errors import ModelFileError, OnnxfixError
from onnxfix.files import make_folder, temporary

PATIENCE_SECONDS = 30.0
"""How long a task waits for a worker when none that is left has what it needs."""

_TICK = 1.0
_PER_CPU = 2
_INSTALL = f"install onnxfix {__version__} on all workers"
_SENT = 1 << 30
"""While more bytes than this travel, no further task is started."""


@dataclass(eq=False)
class _Run:
    """A task that the cluster has.

    `demand` are resources of one node, `size` the bytes that were sent with the task, and `fits` is when a node was
    last there for it.
    """

    task: Task
    demand: dict[str, float]
    size: int
    started: float = field(default_factory=time.monotonic)
    fits: float = field(default_factory=time.monotonic)


def perform_on_ray(
    tasks: Iterable[Task], *, address: str, seconds: float, jobs: int | None = None, watch: Watch | None = None
) -> Iterator[Line]:
    """The lines of tasks in order of completion, by the workers of the Ray cluster at `address`.

    At most `jobs` tasks are with it at a time, by default about two for each of its CPUs.  `seconds` is the time
    limit of a task, once it runs.  Closing the iterator leaves the cluster, which ends what runs.  Raises OnnxfixError
    when there is no such cluster, when it has no worker for a target's device, and when another onnxfix is installed
    on a worker.
    """
    with connected(address) as ray, ExitStack() as tokens:
        yield from _Cluster(ray, jobs, seconds, watch or Watch(), tokens).lines(iter(tasks))


class _Cluster:
    """The state of one batch on a cluster: what runs there, and what each of its nodes has."""

    def __init__(self, ray: Any, jobs: int | None, seconds: float, watch: Watch, files: ExitStack) -> None:
        self.ray, self.jobs, self.seconds, self.watch, self.files = ray, jobs, seconds, watch, files
        self.work = ray.remote(rayworker.work)
        self.running: dict[Any, _Run] = {}
        self.tokens: dict[Path, str] = {}
        self.sending = False
        self.nodes: list[accelerators.Resources] = []
        self.looked = -math.inf

    def lines(self, tasks: Iterator[Task]) -> Iterator[Line]:
        """Start what the cluster may have at a time, wait, and hand on what is finished, until nothing is left."""
        yield from self._look()
        yield from self._fill(tasks)
        while self.running:
            done, _ = self.ray.wait(list(self.running), timeout=_TICK)
            for reference in done:
                yield from self._finished(reference)
            yield from self._look()
            yield from self._fill(tasks)

    def _fill(self, tasks: Iterator[Task]) -> Iterator[Line]:
        """Start tasks; gives the lines of those that cannot be."""
        room = self.jobs or max(4, _PER_CPU * int(sum(node.get("CPU", 0) for node in self.nodes)))
        while len(self.running) < room and sum(run.size for run in self.running.values()) < _SENT:
            if (task := next(tasks, None)) is None:
                return
            yield from self._start(task, send=self.sending)

    def _start(self, task: Task, *, send: bool) -> Iterator[Line]:
        """Give a task to the cluster; its line when a file of it is missing or cannot be sent."""
        demand = self._demand(task)
        try:
            whole, _ = baggage.absolute(task)
            order = {
                "version": __version__,
                "task": _fields(whole),
                "seconds": self.seconds,
                "seen": baggage.states(whole),
                "token": self._token(whole),
            }
            files = baggage.packed(whole) if send else None
        except ModelFileError as error:
            yield line(task, failure("unreadable", str(error)), 0.0)
            return
        self.watch.stage(task, "on the cluster")
        work = self.work.options(max_retries=RETRIES, **_options(demand))
        reference = work.remote(order, files and self.ray.put(files))
        self.running[reference] = _Run(task, demand, sum(map(len, (files or {}).values())))

    def _demand(self, task: Task) -> dict[str, float]:
        """What one node must have for a task: the largest gets those that may need more memory than it has."""
        demand = {"CPU": 1.0, **accelerators.demand_of(task, self.nodes)}
        nodes = [node for node in self.nodes if _has(node, demand)]
        if not nodes:
            raise OnnxfixError("no worker of the cluster has a CPU for it", hint=SEE)
        return {**demand, "memory": min(memory.need(task), int(max(node.get("memory", 0) for node in nodes)))}

    def _token(self, task: Task) -> str:
        """A file in the folder of the output, by which a worker sees that it is the same folder; "" for none."""
        folder = baggage.output_folder(task)
        if folder is None:
            return ""
        if folder not in self.tokens:
            make_folder(folder)
            token = temporary(folder / "batch")
            self.files.callback(token.unlink, missing_ok=True)
            self.tokens[folder] = str(token)
        return self.tokens[folder]

    def _finished(self, reference: Any) -> Iterator[Line]:
        """The line of a task that is done; one whose files its worker does not see is started again with them."""
        run = self.running.pop(reference)
        try:
            reply = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            raise OnnxfixError(f"a worker cannot run onnxfix: {lines_of(error)[-1]}", hint=_INSTALL) from None
        except self.ray.exceptions.RayError as error:
            reason = f"{label(run.task.place)}: worker died, {1 + RETRIES} times: {lines_of(error)[0]}"
            yield line(run.task, failure("crashed", reason), time.monotonic() - run.started)
            return
        if "version" in reply:
            what = f"onnxfix {reply['version']} is installed on the worker {reply['node']}, {__version__} here"
            raise OnnxfixError(what, hint=_INSTALL)
        if "unseen" in reply:
            self.sending = True
            yield from self._start(run.task, send=True)
        else:
            yield _accepted(run.task, reply)

    def _look(self) -> Iterator[Line]:
        """See which nodes there are; what none of them has room for is given to the cluster anew, with less memory."""
        now = time.monotonic()
        if now < self.looked + _TICK:
            return
        self.looked = now
        self.nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        for reference, run in list(self.running.items()):
            if any(_has(node, run.demand) for node in self.nodes):
                run.fits = now
            elif now > run.fits + PATIENCE_SECONDS:
                del self.running[reference]
                self.ray.cancel(reference)
                yield from self._start(run.task, send=bool(run.size))


def _fields(task: Task) -> dict[str, Any]:
    """A task for another machine, where the folder of kept reports means nothing."""
    fields = asdict(task)
    return {**fields, "settings": {name: value for name, value in fields["settings"].items() if name != "cache"}}


def _options(demand: Mapping[str, float]) -> dict[str, Any]:
    """A demand in the words of Ray's options."""
    own = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
    others = {name: amount for name, amount in demand.items() if name not in own}
    return {**{own[name]: amount for name, amount in demand.items() if name in own}, "resources": others}


def _has(node: accelerators.Resources, demand: Mapping[str, float]) -> bool:
    return all(node.get(name, 0) >= amount for name, amount in demand.items())


def _accepted(task: Task, reply: Mapping[str, Any]) -> Line:
    """The line of a reply, when the files that came with it are in their places."""
    names = baggage.absolute(task)[1]
    done: Line = {**renamed(reply["line"], names), "key": task.key, "place": label(task.place)}
    try:
        baggage.placed(task, reply["files"])
    except ModelFileError as error:
        return line(task, failure("unreadable", str(error)), done["seconds"])
    if reply["files"]:
        done["written"] = {path: contents_of(Path(path)) for path in done["written"]}
    return done
