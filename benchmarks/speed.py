"""How fast is onnxfix, beside its peers and over the size of the model?  Whole processes, in turns, medians.

    python -m benchmarks.speed [--rows help,cached,…] [--sizes 200,2000,…] [--weights 0.1,0.5,1.5] [--peers …]
    python -m benchmarks.speed --page docs/speed.md --plot docs

The first form measures and prints each row as it comes, and keeps it in --json, beside the rows that were measured
before; the second makes the page and the drawings from that file, and measures nothing.  Linux only.  A run that takes
too long or too much memory is killed and told as such, and the tool is not tried on larger models.
"""

from __future__ import annotations

import argparse
import compileall
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import benchmarks
import onnxfix
from benchmarks import speed_models, speed_tools
from benchmarks.measure import Limits, Run, in_turns
from benchmarks.speed_page import draw, line_of, write_page
from benchmarks.speed_results import Results, this_machine, title
from onnxfix import sandbox

ROWS = ("help", "cached", "nodes", "yolo", "weights", "sparse")
HUNDRED_GB = 100 * 10**9
MANY_MODELS = 100
ENOUGH = 8e9
"""Bytes of memory for a graph of a hundred nodes, whose weights nobody needs."""


@dataclass(frozen=True)
class Row:
    """Commands to measure in turns, on models of one size; `output` is what each of them may write, `memory` the bytes
    at which it is killed, if --memory is not less."""

    key: str
    size: int
    commands: Mapping[str, list[str]]
    output: Path | None = None
    memory: float = 1e12


def rows(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """The rows that are asked for, the short ones first; the models are made when their row comes, and then go."""
    output, peers, wanted = folder / "repaired.onnx", options.peers, options.rows
    if "help" in wanted:
        yield Row("help", 0, speed_tools.helps(peers))
    if "cached" in wanted:
        models = speed_models.many_models(folder, MANY_MODELS)
        yield Row("cached", MANY_MODELS, _cached(models, folder, peers))
    if "yolo" in wanted:
        ailing, healthy = (speed_models.detector(folder, options.width, healthy=good) for good in (False, True))
        yield Row("yolo", healthy.stat().st_size, speed_tools.numeric(ailing, healthy, output), output)
    if "sparse" in wanted:
        model = speed_models.weight_model(folder, options.sparse, sparse=True)
        yield Row("sparse", options.sparse, _both(model, output, peers), output, ENOUGH)
        _forget(model)
    for size in options.weights if "weights" in wanted else ():
        model = speed_models.weight_model(folder, size)
        yield Row("weights", size, _both(model, output, peers), output)
        _forget(model)
    for size in options.sizes if "nodes" in wanted else ():
        yield Row("nodes", size, _both(speed_models.node_model(folder, size), output, peers), output)


def _both(model: Path, output: Path, peers: list[str]) -> dict[str, list[str]]:
    return speed_tools.repairs(model, output, peers) | speed_tools.checks(model, peers)


def _cached(models: Path, folder: Path, peers: list[str]) -> dict[str, list[str]]:
    """onnxfix with a cache that a first run fills; onnx-doctor has none, and trtcheck takes one model at a time."""
    command = speed_tools.found(["onnxfix", "check", str(models), "--static", "--cache-dir", str(folder / "cache")])
    in_turns({"onnxfix": command}, 1, Limits())
    doctor = speed_tools.found(["onnx-doctor", "check", str(models)])
    return {"onnxfix check": command} | ({"onnx-doctor check": doctor} if "onnx-doctor" in peers else {})


def _forget(model: Path) -> None:
    for path in (model, model.with_suffix(".data")):
        path.unlink()


def measure(row: Row, results: Results, options: argparse.Namespace, folder: Path) -> None:
    """Run the commands of a row, print a line for each tool, and keep the figures."""
    gone = {name: f"not run: {results.killed(row.key, name, row.size)}" for name in row.commands}
    run = {name: words for name, words in row.commands.items() if words and not results.killed(row.key, name, row.size)}
    made: dict[str, str] = {}

    def look(name: str, _: Run) -> None:
        if row.output is not None:
            made[name] = sandbox.default().call("benchmarks.speed_tools:written", str(row.output), timeout=300.0)
            for path in folder.glob("repaired*"):  # with its weights
                path.unlink()

    limits = Limits(options.limit, min(options.memory * 1e9, row.memory))
    print(f"\n{title(row.key, row.size)}", flush=True)
    figures = in_turns(run, options.repeats, limits, patience=options.patience, folder=folder, after=look)
    for name, words in row.commands.items():
        if name in figures:
            runs = [replace(run, last_line=run.last_line.replace(f"{folder}/", "")) for run in figures[name]]
            entry = results.add(row.key, row.size, name, runs, made.get(name, ""))
            print(f"  {name:<20} {line_of(entry)}", flush=True)
        else:
            print(f"  {name:<20} {gone[name] if words else 'not installed'}")
    results.save(options.json)


def _numbers(factor: float) -> Callable[[str], list[int]]:
    return lambda text: [int(float(word) * factor) for word in text.split(",")]


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=_words, default=list(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--sizes", type=_numbers(1), default=[200, 2000, 20_000, 200_000], help="numbers of nodes")
    parser.add_argument("--weights", type=_numbers(1e9), default=_numbers(1e9)("0.1,0.5,1.5"), help="GB on the disk")
    parser.add_argument("--sparse", type=lambda text: int(float(text) * 1e9), default=HUNDRED_GB, help="GB, no content")
    parser.add_argument("--width", type=float, default=1.0, help="of the YOLOv3; 1.0 is the file of 248 MB")
    parser.add_argument("--peers", type=_words, default=list(speed_tools.PEERS), help="some of them, or ''")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--patience", type=float, default=30.0, help="seconds of runs after which no more are made")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds after which a run is killed")
    parser.add_argument("--memory", type=float, default=14.0, help="GB at which a run is killed")
    parser.add_argument("--json", type=Path, default=Path("docs/speed.json"), help="where the figures are kept")
    parser.add_argument("--page", type=Path, help="write the tables into this page")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw the curves into this folder")
    return parser.parse_args()


def main() -> None:
    """Measure, or make the page and the drawings."""
    options = arguments()
    results = Results.load(options.json)
    if options.page or options.plot:
        if options.page:
            write_page(options.page, results)
        if options.plot:
            draw(options.plot, results)
        return
    started = time.perf_counter()
    results.versions, results.machine = speed_tools.versions(), this_machine()
    for package in (onnxfix.__path__, benchmarks.__path__):  # pip has compiled the peers; an editable install is not
        compileall.compile_dir(package[0], quiet=1)
    with tempfile.TemporaryDirectory(prefix="onnxfix-speed-") as name:
        for row in rows(options, Path(name)):
            measure(row, results, options, Path(name))
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes; kept in {options.json}")


if __name__ == "__main__":
    main()
