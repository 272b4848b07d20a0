"""Engines of models with free sizes: for sizes and values that fit where those made up do not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from onnxfix import engine
from onnxfix.engine import EngineResult, InputRange
from onnxfix.engine.options import BuildOptions
from onnxfix.errors import OnnxfixError
from onnxfix.model import load
from onnxfix.records import CHOSEN
from onnxfix.verify.fitting_sizes import fitting_sizes
from onnxfix.verify.inputs import input_specs
from onnxfix.verify.values import seeded

_PLACE = re.compile(r" In \S+ at \S+")
_ABOUT_SIZES = re.compile(r"dimension|shape|size|bounds|volume|broadcast|axis|index|depth|subscript", re.IGNORECASE)


def build_fitting(
    path: Path,
    flavour: str | None = None,
    compute_capability: str | None = None,
    timeout: float = 300.0,
    *,
    sample: Mapping[str, Any] | None = None,
    options: BuildOptions | None = None,
    **rest: Any,
) -> EngineResult:
    """`engine.build`, and once more where the builder refuses all sizes that were made up for free dimensions.

    The second build is for one size of each input, chosen by `fitting_sizes`, and where the network reads sizes out of
    an input (a new shape for Reshape, bounds for Slice, an axis for CumSum) for values that fit the node that reads
    them.  It is not done where the caller says sizes, by `sample` or in `options`.  What the first build was refused
    for stays when both are.  `rest` are other arguments of `engine.build`, and it raises as that does.
    """
    build = partial(engine.build, path, flavour, compute_capability, options=options, **rest)
    first = build(timeout=timeout, sample=sample)
    asked = sample is not None or bool(options and options.shapes)
    left = timeout - first.seconds
    refused = first.outcome == "build_failed" and not asked and left > 0
    values = fitting_values(path, first.profile) if refused else None
    second = build(timeout=left, sample=values) if values is not None else first
    return replace(second, seconds=first.seconds + second.seconds) if second.built and second is not first else first


def fitting_values(path: Path, profile: Sequence[InputRange]) -> Mapping[str, Any] | None:
    """Inputs of sizes that fit the model of `path`, for which a builder that refused `profile` may take it.

    None where no size is free, or nothing can be made up for an input.
    """
    if not profile:
        return None
    try:
        model = load(path)
        specs = input_specs(model)
    except OnnxfixError:  # an input that is no tensor, or has no shape
        return None
    return seeded(specs, fitting_sizes(model, specs, profile), seed=0)


def for_these_only(profile: tuple[InputRange, ...]) -> str:
    """The sizes and values that an engine is bound to, in words ("x of 1x64, axis = 0"); "" when it takes ranges."""
    return ", ".join(_words(item) for item in profile if item.smallest == item.largest)


def on_sizes(result: EngineResult) -> str:
    """A sentence on chosen sizes that a verdict rests on; "" where it does not, as far as can be told.

    It does where an engine takes no others, and where the builder's words on a refusal are about sizes.
    """
    only = for_these_only(result.profile)
    if result.built:
        hint = f"`onnxfix build MODEL --shapes {result.profile[0].name}=...` builds for others" if only else ""
        return f"{CHOSEN}it was built for {only} only; {hint}" if only else ""
    said = (_PLACE.sub("", item.message) for item in result.errors)
    if result.outcome != "build_failed" or not result.profile or not any(map(_ABOUT_SIZES.search, said)):
        return ""
    asked = ", ".join(map(_words, result.profile))
    options = " ".join(f"--{'freeze' if item.values else 'shape'} {item.name}=..." for item in result.profile)
    return f"{CHOSEN}it was asked for {asked}; `onnxfix repair MODEL {options}` asks for the ones that are meant"


def _words(item: InputRange) -> str:
    ends = dict.fromkeys((item.smallest, item.largest))
    if not item.values:
        return f"{item.name} of {' to '.join('x'.join(map(str, end)) for end in ends)}"
    return f"{item.name} = {' to '.join(str(list(end)) if len(end) > 1 else str(*end) for end in ends)}"
