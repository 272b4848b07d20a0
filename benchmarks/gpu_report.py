"""The page of benchmarks.gpu: what was run where and when, how many, and each row that is not equal."""

from __future__ import annotations

import datetime
import importlib.metadata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from onnxfix import engine, sandbox

OUTCOMES = (
    "equal",
    "differing",
    "failing",
    "crashed",
    "crashed in the build",
    "not built",
    "random",
    "no tensors",
    "nothing recorded",
)
_LISTED = ("differing", "failing", "crashed", "crashed in the build")
_WORDS = 220


@dataclass(frozen=True)
class Row:
    """One model: its outcome, one of OUTCOMES, why, and the largest difference of any output."""

    name: str
    kind: str
    outcome: str
    why: str = ""
    max_abs: float = 0.0


def page(rows: Sequence[Row]) -> str:
    """The page as Markdown."""
    return "\n".join((*_head(), *_table(rows), *_reasons(rows), *_lists(rows), ""))


def _head() -> Iterator[str]:
    driver = sandbox.default().call("onnxfix.engine.driver:driver", timeout=60)
    flavours = engine.installed()
    gpu = f"{driver.gpus[0].name} (compute capability {driver.gpus[0].compute_capability})" if driver.gpus else "no GPU"
    versions = ", ".join(
        (
            f"onnx {onnx.__version__}",
            f"numpy {np.__version__}",
            f"PyCUDA {_version('pycuda')}",
            *(flavour.title for flavour in flavours),
            f"driver {driver.version}",
            f"CUDA {driver.cuda}",
        )
    )
    yield f"Measured on {datetime.datetime.now(datetime.UTC).date()} on one {gpu}: {versions}."
    yield ""


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _table(rows: Sequence[Row]) -> Iterator[str]:
    kinds = list(dict.fromkeys(row.kind for row in rows))
    counts = Counter((row.kind, row.outcome) for row in rows)
    yield "| | " + " | ".join(kinds) + " |"
    yield "|---" * (len(kinds) + 1) + "|"
    for outcome in OUTCOMES:
        if any(counts[kind, outcome] for kind in kinds):
            yield f"| {outcome} | " + " | ".join(str(counts[kind, outcome]) for kind in kinds) + " |"
    yield "| all | " + " | ".join(str(sum(row.kind == kind for row in rows)) for kind in kinds) + " |"
    yield ""


def _reasons(rows: Sequence[Row]) -> Iterator[str]:
    """How often each operator or reason keeps an engine from being built."""
    refused = Counter(row.why[:80] for row in rows if row.outcome == "not built")
    if refused:
        yield "The most frequent refusals of the build:"
        yield ""
        yield from (f"* {count}: {_cell(reason)}" for reason, count in refused.most_common(10))
        yield ""


def _lists(rows: Sequence[Row]) -> Iterator[str]:
    for outcome in _LISTED:
        found = sorted((row for row in rows if row.outcome == outcome), key=lambda row: (row.kind, row.name))
        if found:
            yield f"## {outcome.capitalize()}: {len(found)}"
            yield ""
            yield "| case | why |"
            yield "|---|---|"
            yield from (f"| {row.name} | {_cell(row.why)} |" for row in found)
            yield ""


def _cell(text: str) -> str:
    short = " ".join(text.split()).replace("|", "\\|")
    return short if len(short) <= _WORDS else short[: _WORDS - 1] + "…"
