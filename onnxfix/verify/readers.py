"""The nodes that read what float16 cannot hold: computed values, inputs, and stored tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from onnxfix.model.scope import Scope
from onnxfix.verify.figures import figures_of
from onnxfix.verify.watched import Range

_KINDS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
_SMALL = 1 << 16
"""Stored tensors of more elements are not looked at: limits and masks are small."""


def readers(scopes: Sequence[Scope], values: Iterable[Range], feeds: Mapping[str, Any]) -> dict[str, str]:
    """{node, by its name or by the value it makes, as in Watch.keep_fp32: why float16 would break what it reads}."""
    broken = {value.name: value.keep_fp32 for value in values if value.keep_fp32}
    broken |= {name: why for name, array in feeds.items() if (why := _why(array))}
    found: dict[str, str] = {}
    for scope in scopes:
        for node in scope.nodes:
            own = node.name or next(filter(None, node.output), "")
            for name in filter(None, node.input):
                why = broken.get(_path(scope, name)) or _stored(scope, name)
                if why and own:
                    said = f"it reads {name}, which {why.removeprefix('it ')}"
                    found.setdefault("/".join(filter(None, (scope.label, own))), said)
    return found


def _path(scope: Scope, name: str) -> str:
    """What a value that is seen in a graph is called in a Range."""
    while not scope.defines(name) and scope.parent is not None:
        scope = scope.parent
    return "/".join(filter(None, (scope.label, name)))


def _stored(scope: Scope, name: str) -> str:
    """Why float16 cannot hold a small stored tensor, "" when it can."""
    tensor = scope.constant(name)
    if tensor is None or tensor.data_type not in _KINDS or math.prod(tensor.dims) > _SMALL:
        return ""
    return _why(scope.array(name))


def _why(array: Any) -> str:
    """Why float16 cannot hold an array, "" when it can and for all that is none."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        return ""
    return Range("", "", "", 0, **figures_of(array)).keep_fp32
