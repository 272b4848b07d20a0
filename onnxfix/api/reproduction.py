"""The smallest model that fails, with made-up numbers for the user's, and the commands that show it fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix.api.commands import INPUTS, MODEL, commands
from onnxfix.api.cutting import ReduceReport, reduce
from onnxfix.api.failing import Failing
from onnxfix.api.run import write_npz
from onnxfix.isolate.weights import made_up, randomized, weights_of, without_remarks
from onnxfix.model import Model, load, save
from onnxfix.scratch import scratch
from onnxfix.verify.lists import tensors
from onnxfix.verify.values import recorded_inputs


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What `reduce` found, and what shows it anywhere.

    `model` is the reduced one, None where it would need numbers of the user's; `failure` is how it fails, `figures` its
    numbers.  `files` lie beside it, `commands` show the failure there.  `notes` say what of the user's is in it.
    """

    found: ReduceReport
    model: onnx.ModelProto | None = None
    failure: str = ""
    figures: tuple[dict[str, Any], ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def reproduction(
    path: Path,
    failing: Failing,
    inputs: str | Path | None,
    *,
    weights: bool,
    progress: Callable[[tuple[str, float]], object] = str,
) -> Reproduction:
    """Reduce a model, and put made-up numbers in the place of its weights and inputs; `weights` keeps what is needed.

    Raises as `reduce` does.
    """
    with scratch() as folder:
        small = Path(folder, MODEL)
        found = reduce(
            path,
            small,
            check=failing.check,
            match=failing.match,
            inputs=inputs,
            timeout=failing.timeout,
            repeat=failing.repeat,
            progress=progress,
        )
        given = Path(found.inputs) if found.inputs else None
        meant = failing.ask(small, given)
        model = load(small)
        count = len(weights_of(model.proto))
        told = model.proto if weights else randomized(model, range(count))
        save(model.with_proto(without_remarks(told)), small, embed=True)
        stored = "it needs no weights" if not count else _KEPT if weights else "its weights are random numbers"
        for feeds, said in _feeds(model, given, weights):
            answer = failing.ask(small, feeds)
            if answer.failed and answer.sign == meant.sign:
                files = {INPUTS: feeds.read_bytes()} if feeds else {}
                typed, own, missing = commands(failing.check, feeds is not None)
                notes = tuple(filter(None, (stored, said, missing, _NAMES)))
                proto = onnx.load(small)
                return Reproduction(found, proto, answer.message, answer.figures, files | own, typed, notes)
    return Reproduction(found, notes=(_UNTOLD if not weights else _UNSTEADY,))


_KEPT = "the weights that the failure needs are in it"
_NAMES = "the names of nodes and values are those of your model; doc strings and metadata are left out"
NOTHING_REDUCED = "there is no reduced model"
_UNTOLD = (
    f"{NOTHING_REDUCED}: with random numbers for weights and inputs the failure is gone; "
    "pass --weights to put those that it needs into the report"
)
_UNSTEADY = f"{NOTHING_REDUCED}: it does not fail each time; for a failure that comes and goes take --repeat 5"


def _feeds(model: Model, given: Path | None, weights: bool) -> Iterator[tuple[Path | None, str]]:
    """(a file of inputs for the reduced model, what it holds), the best for a report first; no file: seeded ones."""
    yield None, ""
    if given is None:
        return
    random = np.random.default_rng(0)
    blind = given.with_name(f"made-up.{INPUTS}")
    fed = tensors(recorded_inputs(given, model))
    with blind.open("wb") as file:
        write_npz(file, {name: made_up(array, random) for name, array in fed.items()})
    yield blind, "its inputs are made-up numbers between the smallest and the largest of yours"
    if weights:
        yield given, "the inputs that the failure needs are in it"
