"""What a model itself computes: its outputs on the first of several sets of inputs that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from onnxfix import sandbox
from onnxfix.engine import InputRange
from onnxfix.model import Model
from onnxfix.model.model import Array
from onnxfix.verify.compare import compare
from onnxfix.verify.inputs import InputSpec, input_specs
from onnxfix.verify.oracle import WAYS, Oracle
from onnxfix.verify.runtime import CannotLoad, CannotRun
from onnxfix.verify.sizes import Sizes
from onnxfix.verify.values import seeded


@dataclass(frozen=True, slots=True)
class Baseline:
    """`outputs` of a model for `inputs`, as `oracle` computes them. `reason` is why there are none.

    `random` names outputs that differ between two runs on the same inputs.
    """

    oracle: str = ""
    inputs: Mapping[str, Array] = field(default_factory=dict)
    outputs: Mapping[str, Array] = field(default_factory=dict)
    random: tuple[str, ...] = ()
    reason: str = ""


def baseline(
    path: Path, outputs: Sequence[str], choices: Sequence[Mapping[str, Array]], *, draws: bool, timeout: float
) -> Baseline:
    """Runs the model in the sandbox on the first of `choices` that it takes, by fewer ways when one crashes.

    `draws` says that the model has random operators: it is then run twice. `timeout` is in seconds.
    """
    feeds = [dict(choice) for choice in choices]
    reason = "it crashes every runtime"
    for first in range(len(WAYS)):
        try:
            result = sandbox.default().call(
                "onnxfix.verify.baseline:run_here",
                str(path.absolute()),
                tuple(outputs),
                feeds,
                draws,
                WAYS[first:],
                timeout=timeout,
            )
        except sandbox.SandboxCrash as crash:
            reason = f"it crashes every runtime ({crash.signal})"
            continue
        except sandbox.SandboxFailure as failure:
            return Baseline(reason=str(failure))
        assert isinstance(result, Baseline)
        return result
    return Baseline(reason=reason)


def run_here(
    path: str, outputs: tuple[str, ...], choices: Sequence[Mapping[str, Array]], draws: bool, ways: tuple[str, ...]
) -> Baseline:
    """`baseline` in this process."""
    refused = ""
    try:
        oracle = Oracle(Path(path), outputs, ways)
        for feeds in choices:
            try:
                found = _arrays(oracle.run(feeds))
                again = _arrays(oracle.run(feeds)) if draws else found
            except CannotRun as reason:
                refused = refused or str(reason)
                continue
            random = tuple(name for name in found if compare(name, found[name], again[name]).why)
            return Baseline(oracle.title, feeds, found, random)
    except CannotLoad as reason:
        return Baseline(reason=str(reason))
    return Baseline(reason=refused or "there are no inputs to try")


def choices_for(model: Model, profile: Sequence[InputRange]) -> list[dict[str, Array]]:
    """Seeded inputs that fit an engine's profile: of its best and of its smallest sizes, any values and gentle ones.

    Raises OnnxfixError for inputs for which no values can be made up.
    """
    specs = input_specs(model)
    ranges = {item.name: item for item in profile}
    return list(_distinct(specs, ranges))


def _distinct(specs: Sequence[InputSpec], ranges: Mapping[str, InputRange]) -> Iterator[dict[str, Array]]:
    dynamic = any(isinstance(dim, str) for spec in specs for dim in spec.dims) or bool(ranges)
    for gentle in (False, True):
        for point in ("best", "smallest") if dynamic else ("best",):
            sized, sizes = _sized(specs, ranges, point)
            feeds = seeded(sized, sizes, seed=0, gentle=gentle)
            yield {name: _shape_values(array, ranges.get(name), point) for name, array in feeds.items()}


def _sized(specs: Sequence[InputSpec], ranges: Mapping[str, InputRange], point: str) -> tuple[list[InputSpec], Sizes]:
    """The specs with the numbers of the profile, and those numbers by the names of their dimensions."""
    sized, sizes = [], {}
    for spec in specs:
        item = ranges.get(spec.name)
        if item is None or item.values:
            sized.append(spec)
            continue
        shape: tuple[int, ...] = getattr(item, point)
        sizes.update({dim: size for dim, size in zip(spec.dims, shape, strict=True) if isinstance(dim, str)})
        sized.append(replace(spec, dims=shape))
    return sized, sizes


def _shape_values(array: Array, item: InputRange | None, point: str) -> Array:
    """A shape input gets the values of the profile."""
    if item is None or not item.values:
        return array
    values = np.asarray(getattr(item, point), dtype=array.dtype)
    return values.reshape(array.shape) if values.size == array.size else values


def _arrays(outputs: Mapping[str, Any]) -> dict[str, Array]:
    """The tensors among the outputs; an engine has no sequences and optionals."""
    return {name: np.asarray(value) for name, value in outputs.items() if not isinstance(value, list | dict | None)}
