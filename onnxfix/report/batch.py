"""How a batch goes, on standard error, and what became of it."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from onnxfix.batch.run import Done
from onnxfix.batch.task import Task
from onnxfix.batch.urls import label
from onnxfix.batch.watch import Watch
from onnxfix.report import terminal
from onnxfix.report.text import Line, counted, listed, sentence, size_text, visible

OUTCOMES = {
    "repaired": "green",
    "ready": "green",
    "repairable": "yellow",
    "partly": "yellow",
    "blocked": "red",
    "failed": "bold red",
}
SECONDS = 30.0
"""Between two lines about a batch that goes on, where there is no terminal."""

_PATH, _ROWS, _SLOWEST, _RULES = 60, 16, 3, 10


class Progress(Watch):
    """What became of the models so far, and what runs now; this one shows nothing of it."""

    def __init__(self, total: int, budget: int) -> None:
        self.total, self.budget, self.held, self.known = total, budget, 0, 0
        self.outcomes: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.slowest: list[tuple[float, str]] = []
        self.running: dict[str, tuple[str, str, float]] = {}
        self.started = time.monotonic()

    def add(self, done: Done) -> Done:
        """Count a model that is done."""
        line = done.line
        self.running.pop(line["key"], None)
        self.outcomes[line["outcome"]] += 1
        self.rules.update({fix["code"] for fix in line.get("report", {}).get("fixes", ())})
        self.known += not done.now
        if done.now:
            self.slowest = sorted([*self.slowest, (line["seconds"], line["place"])], reverse=True)[:_SLOWEST]
        return done

    def stage(self, task: Task, stage: str) -> None:
        """As Watch says."""
        started = self.running.get(task.key, ("", "", time.monotonic()))[2]
        self.running[task.key] = label(task.place), stage, started

    def note(self, text: str) -> None:
        """As Watch says."""
        print(f"onnxfix: note: {sentence(text)}", file=sys.stderr)

    def memory(self, used: int) -> None:
        """As Watch says."""
        self.held = used

    def stop(self) -> None:
        """Show nothing any more."""

    def line(self) -> str:
        """`34 of 100 models: 30 repaired, 4 failed; 1.2 a second, 0:00:55 left, 1.2 GB of 8.0 GB`."""
        done = self.outcomes.total()
        text = f"{done} of {counted(self.total, 'model')}"
        if counts := _counts(self.outcomes):
            text += f": {counts}"
        rate = (done - self.known) / (time.monotonic() - self.started)
        if rate:
            left = timedelta(seconds=round((self.total - done) / rate))
            speed = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
            text += f"; {speed}, {left} left"
        return text + (f"; memory {size_text(self.held)} of {size_text(self.budget)}" if self.held else "")


class _Lines(Progress):
    """A line now and then."""

    def __init__(self, total: int, budget: int) -> None:
        super().__init__(total, budget)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._thread.start()

    def _tell(self) -> None:
        while not self._over.wait(SECONDS):
            print(f"onnxfix: {self.line()}", file=sys.stderr)

    def stop(self) -> None:
        """As Progress says."""
        self._over.set()
        self._thread.join()


class _Table(Progress):
    """A line about all, a bar, and a row for each model that is worked on, from a second on."""

    def __init__(self, total: int, budget: int) -> None:
        super().__init__(total, budget)
        self._live: Any = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(terminal.PATIENCE, self._start)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """As Progress says."""
        self._timer.cancel()
        self._timer.join()
        if self._live:
            self._live.stop()

    def _start(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            get_renderable=self._drawn,
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._live.start()

    def _drawn(self) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        rows = Table.grid(padding=(0, 2))
        now, running = time.monotonic(), list(self.running.values())
        for place, stage, started in running[:_ROWS]:
            rows.add_row(Text(visible(place, _PATH)), Text(sentence(stage)), Text(f"{now - started:.0f} s", "dim"))
        if len(running) > _ROWS:
            rows.add_row(Text(f"and {len(running) - _ROWS} more", "dim"))
        drawn = Table.grid(expand=True)
        for part in (Text(self.line()), ProgressBar(self.total, self.outcomes.total()), rows):
            drawn.add_row(part)
        return drawn


class _One(Progress):
    """The stages of a single model."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__(1, 0)
        self._tell = tell

    def stage(self, task: Task, stage: str) -> None:
        """As Watch says."""
        self._tell(sentence(f"{stage} {label(task.place)}" if stage == "checking" else stage))


@contextmanager
def progress(total: int, budget: int) -> Iterator[Progress]:
    """What counts `total` models and shows it: as a table on a terminal, as a line now and then elsewhere."""
    if total == 1:
        with terminal.progress() as tell:
            yield _One(tell)
        return
    shown = (_Table if sys.stderr.isatty() else _Lines)(total, budget)
    try:
        yield shown
    finally:
        shown.stop()


def summary_lines(done: Progress) -> Iterator[Line]:
    """What became of all models, which took longest, and which rules repaired how many."""
    seconds = f"   {time.monotonic() - done.started:.1f} s"
    known = f", {done.known} known before" if done.known else ""
    parts = [(f"{count} {name}", OUTCOMES[name]) for name in OUTCOMES if (count := done.outcomes[name])]
    between = [part for pair in parts for part in (", ", pair)][1:]
    yield (f"{counted(done.outcomes.total(), 'model')}: ", *between, (known + seconds, "dim"))
    if len(done.slowest) > 1:
        yield (f"Slowest: {', '.join(f'{visible(place, _PATH)} {took:.1f} s' for took, place in done.slowest)}",)
    if done.rules:
        rules = [
            f"{code} in {count}" for code, count in sorted(done.rules.items(), key=lambda item: (-item[1], item[0]))
        ]
        yield (f"Rules applied: {listed(rules, _RULES)}",)


def _counts(outcomes: Counter[str]) -> str:
    return ", ".join(f"{outcomes[name]} {name}" for name in OUTCOMES if outcomes[name])
