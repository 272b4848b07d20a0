"""What `check` and `repair` share when there are many models."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from onnxfix.cli.arguments import seconds_of
from onnxfix.errors import OnnxfixError
from onnxfix.report.text import sentence

if TYPE_CHECKING:
    from onnxfix.batch.run import Done
    from onnxfix.batch.task import Line, Task
    from onnxfix.batch.watch import Executor, Watch
    from onnxfix.report.batch import Progress

HOUR = 3600.0

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]i?)?B?")
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}


def declare_batch(parser: argparse.ArgumentParser) -> None:
    """--jobs, --memory, --time-limit, --journal, --ray and --retry."""
    group = parser.add_argument_group("many models")
    group.add_argument("--jobs", metavar="N", type=count, help="models at a time (default: one for each core)")
    group.add_argument(
        "--memory",
        metavar="SIZE",
        type=size,
        help="what they may hold together, such as 8GiB (default: 70%% of what is free)",
    )
    group.add_argument(
        "--time-limit", metavar="SECONDS", type=limit, default=HOUR, help="for each of several models (default: 3600)"
    )
    group.add_argument(
        "--journal",
        metavar="FILE.jsonl",
        type=Path,
        help="gets a line for each model that is done; models that it has are not done again",
    )
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        type=address,
        help="do them on the Ray cluster at HOST:PORT (auto: the one this machine is in)",
    )
    group.add_argument("--retry", action="store_true", help="do those again that failed")


def count(text: str) -> int:
    """A number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def limit(text: str) -> float:
    """A number of seconds, more than 0."""
    if not (seconds := seconds_of(text)):
        raise argparse.ArgumentTypeError(f"{text!r} leaves no time")
    return seconds


def address(text: str) -> str:
    """The address of a cluster; an empty one, of a variable that is not set, does not mean this machine."""
    if not text.strip():
        raise argparse.ArgumentTypeError("names no cluster")
    return text


def size(text: str) -> int:
    """Bytes: `8GiB` is 8 times 2**30 bytes, `8GB` and `8G` are 8 times 10**9."""
    match = _SIZE.fullmatch(text.strip())
    if not match or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 8GiB or 500MB")
    unit = (match[2] or "").lower()
    return int(float(match[1]) * (1024 if unit.endswith("i") else 1000) ** _POWERS.get(unit[:1], 0))


@contextmanager
def batch(
    options: argparse.Namespace, tasks: Sequence[Task], ready: Callable[[], object]
) -> Iterator[tuple[Iterator[Done], Progress]]:
    """The models as they are done, and who counts them; at the end the workers are gone.

    `ready` is called before the first model is worked on, and raises for settings that are wrong for all.
    """
    from onnxfix.batch import memory, run
    from onnxfix.batch.journal import Journal
    from onnxfix.report import batch as report

    if options.retry and not options.journal:
        raise OnnxfixError("looks for failures in a journal", where="--retry", hint="name it with --journal")
    budget = options.memory or memory.budget()
    shown = None
    try:
        with ExitStack() as opened:
            journal = opened.enter_context(Journal(options.journal)) if options.journal else None
            shown = opened.enter_context(report.progress(len(tasks), budget))
            execute = _executor(options, len(tasks), budget, shown, ready)
            done = opened.enter_context(closing(run.lines(tasks, execute, journal, retry=options.retry)))
            yield map(shown.add, done), shown
    except KeyboardInterrupt:
        if shown and len(tasks) > 1:
            again = "; the same command goes on from here" if options.journal else ""
            print(f"onnxfix: interrupted: {shown.line()}{again}", file=sys.stderr)
        raise


def _executor(
    options: argparse.Namespace, models: int, budget: int, watch: Watch, ready: Callable[[], object]
) -> Executor:
    """A cluster, or processes of this machine; one model alone needs none."""

    def execute(tasks: Iterable[Task]) -> Generator[Line, None, None]:
        ready()
        if options.ray:
            from onnxfix.batch.cluster import perform_on_ray

            yield from perform_on_ray(
                tasks, address=options.ray, jobs=options.jobs, seconds=options.time_limit, watch=watch
            )
            return
        if models == 1:
            from onnxfix.batch.here import perform_here

            yield from perform_here(tasks, watch)
            return
        from onnxfix.batch.pool import perform_all

        jobs = min(options.jobs or cores(), models)
        yield from perform_all(tasks, jobs=jobs, budget=budget, seconds=options.time_limit, watch=watch)

    return execute


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def with_error_told(line: Line) -> Line:
    """The line; why a model failed is told on standard error, behind what was printed before."""
    if "error" in line:
        sys.stdout.flush()
        if os.environ.get("ONNXFIX_TRACEBACK"):
            sys.stderr.write(line["error"].get("trace", ""))
        print(f"onnxfix: {sentence(line['error']['message'])}", file=sys.stderr)
    return line


def tell_lines(lines: Iterable[Line]) -> int:
    """Print lines as JSONL, each as soon as it is there; gives the exit code."""
    from onnxfix.batch.journal import encoded

    worst = 0
    for line in map(with_error_told, lines):
        sys.stdout.write(encoded(line).decode())
        sys.stdout.flush()
        worst = max(worst, line["exit_code"])
    return worst


def tell_summary(progress: Progress, stream: TextIO) -> None:
    """Print what became of all models."""
    from onnxfix.report import batch as report
    from onnxfix.report import terminal

    terminal.write(report.summary_lines(progress), stream)
