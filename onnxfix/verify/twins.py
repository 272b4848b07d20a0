"""Two models on the same inputs, value by value. Runs inside the sandbox; gives figures only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix import sandbox
from onnxfix.model.model import Array
from onnxfix.verify.compare import Figures, compare
from onnxfix.verify.inputs import InputSpec
from onnxfix.verify.lists import flat
from onnxfix.verify.oracle import WAYS, Oracle
from onnxfix.verify.runtime import CannotLoad, CannotRun
from onnxfix.verify.sizes import Sizes
from onnxfix.verify.values import seeded

Choice = tuple[Sizes, bool]
"""Sizes by dimension name, and whether the values are gentle (see `seeded`)."""


@dataclass(frozen=True, slots=True)
class Twins:
    """What to compare: values of the model files `one` and `two`, each pair as (name in one, name in two).

    `specs` and `choices` tell the inputs to make up, `given` has them when they are recorded.  `names` has for each
    input of `two` its name in `one`, `dtypes` its element type where that is another one.  `draws` says that `one` has
    random operators.
    """

    one: str
    two: str
    pairs: tuple[tuple[str, str], ...]
    names: Mapping[str, str]
    dtypes: Mapping[str, int] = field(default_factory=dict)
    specs: tuple[InputSpec, ...] = ()
    choices: tuple[Choice, ...] = ()
    given: Mapping[str, Any] | None = None
    draws: bool = False
    ways: tuple[str, ...] = WAYS


@dataclass(frozen=True, slots=True)
class Twinned:
    """Figures of each pair, called as in the second model.  `reason` says why there are none.

    `oracles` computed the values of either model, at `choice`; `random` are values that differ between two runs of
    the first model.
    """

    figures: tuple[Figures, ...] = ()
    oracles: tuple[str, str] = ("", "")
    choice: Choice = field(default_factory=lambda: ({}, False))
    random: tuple[str, ...] = ()
    reason: str = ""


def compare_twins(job: Twins, timeout: float) -> Twinned:
    """Runs both models in the sandbox, by fewer and fewer ways when they crash; `timeout` is in seconds."""
    reason = ""
    for start in range(len(job.ways)):
        try:
            fewer = replace(job, ways=job.ways[start:])
            result = sandbox.default().call("onnxfix.verify.twins:twins_here", fewer, timeout=timeout)
        except sandbox.SandboxCrash as crash:
            reason = f"running them crashes every runtime ({crash.signal})"
            continue
        except sandbox.SandboxTimeout:
            return Twinned(reason=f"running both models took longer than {timeout:g} s")
        except sandbox.SandboxFailure as failure:
            return Twinned(reason=str(failure))
        assert isinstance(result, Twinned)
        return result
    return Twinned(reason=reason)


def twins_here(job: Twins) -> Twinned:
    """`compare_twins` in this process."""
    try:
        first = Oracle(Path(job.one), [old for old, _ in job.pairs], job.ways)
        choice, feeds, before = _accepted(job, first)
        again = first.run(feeds) if job.draws else before
        title = first.title
        del first  # both models are never in memory together
    except (CannotLoad, CannotRun) as reason:
        return Twinned(reason=f"the first model does not run: {reason}")
    try:
        second = Oracle(Path(job.two), [new for _, new in job.pairs], job.ways)
        after = second.run({name: _typed(feeds[old], job.dtypes.get(name)) for name, old in job.names.items()})
    except (CannotLoad, CannotRun) as reason:
        return Twinned(reason=f"the second model does not run: {reason}", choice=choice)
    random = tuple(new for old, new in job.pairs if any(f.why for f in _figures(new, before[old], again[old])))
    figures = (
        figure for old, new in job.pairs for figure in _figures(new, before[old], after[new], values=new not in random)
    )
    return Twinned(tuple(figures), (title, second.title), choice, random)


def _accepted(job: Twins, oracle: Oracle) -> tuple[Choice, Mapping[str, Any], Mapping[str, Any]]:
    """The first inputs that the model takes, and what it computes of them."""
    if job.given is not None:
        return ({}, False), job.given, oracle.run(job.given)
    refused: CannotRun | None = None
    for sizes, gentle in job.choices:
        feeds = seeded(job.specs, sizes, 0, gentle=gentle)
        try:
            return (sizes, gentle), feeds, oracle.run(feeds)
        except CannotRun as reason:
            refused = refused or reason
    raise refused or CannotRun("there are no inputs to try")


def _figures(name: str, old: Any, new: Any, *, values: bool = True) -> Iterator[Figures]:
    """One figure, or one for each element of a sequence."""
    ones, twos = flat({name: old}), flat({name: new})
    for key in dict.fromkeys((*ones, *twos)):
        if key not in ones or key not in twos:
            present: Array = ones.get(key, twos.get(key, np.asarray(0)))
            why = "it is gone" if key in ones else "it is new"
            yield Figures(key, present.dtype.name, present.shape, why=why)
        else:
            yield compare(key, ones[key], twos[key], values=values)


def _typed(array: Any, dtype: int | None) -> Any:
    if dtype is None or not isinstance(array, np.ndarray):
        return array
    return array.astype(onnx.helper.tensor_dtype_to_np_dtype(dtype))


def wrong(figures: Sequence[Figures]) -> list[Figures]:
    """Those that do not agree."""
    return [figure for figure in figures if figure.why]
