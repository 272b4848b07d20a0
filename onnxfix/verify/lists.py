"""Sequences and optionals as arrays by name: the elements of `x` are `x[0]`, `x[1]` and so on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from onnxfix.model.model import Array


def flat(values: Mapping[str, Any]) -> dict[str, Array]:
    """Arrays by name; a sequence has its length as `name.length` too, an empty optional is left out."""
    found: dict[str, Array] = {}
    for name, value in values.items():
        if isinstance(value, list | tuple):
            found[f"{name}.length"] = np.asarray(len(value))
            found.update(flat({f"{name}[{place}]": item for place, item in enumerate(value)}))
        elif isinstance(value, dict):
            found.update(flat({f"{name}[{key!r}]": item for key, item in value.items()}))
        elif value is not None:
            found[name] = np.asarray(value)
    return found


def tensors(values: Mapping[str, Any]) -> dict[str, Array]:
    """Inputs as a model takes them whose sequences became tensors."""
    return {name: array for name, array in flat(values).items() if not name.endswith(".length")}


def counted(got: Mapping[str, Array], expected: Iterable[str]) -> dict[str, Array]:
    """The outputs of a model whose sequences became tensors, with the lengths that are expected."""
    lengths = {name: name.removesuffix(".length") for name in expected if name.endswith(".length") and name not in got}
    counts = {name: len(elements_of(base, got)) for name, base in lengths.items()}
    return {**got, **{name: np.asarray(count) for name, count in counts.items() if count}}


def elements_of(name: str, names: Iterable[str]) -> list[str]:
    """Those of the names that are elements of a sequence, in order."""
    found = (re.fullmatch(re.escape(name) + r"\[(\d+)\]", other) for other in names)
    return [match[0] for match in sorted((m for m in found if m), key=lambda match: int(match[1]))]


def gathered(arrays: Mapping[str, Array], inputs: Sequence[onnx.ValueInfoProto]) -> dict[str, Any]:
    """The recorded values of inputs that are sequences or optionals: lists, arrays, and None for what is absent."""
    found: dict[str, Any] = {}
    for value in inputs:
        items = [arrays[name] for name in elements_of(value.name, arrays)]
        if value.type.HasField("sequence_type"):
            found[value.name] = items
        elif value.type.HasField("optional_type"):
            found[value.name] = arrays.get(value.name, items or None)
    return found
