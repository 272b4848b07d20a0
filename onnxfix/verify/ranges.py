"""What flows through a model: every value watched in ONNX Runtime, in bounded memory.

The values are outputs of a session, and asked for a few at a time; only their figures are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx

from onnxfix import sandbox
from onnxfix.errors import OnnxfixError
from onnxfix.model import Model, load, save
from onnxfix.model.inference import typed_scopes
from onnxfix.model.scope import Scope, ScopeId
from onnxfix.scratch import scratch
from onnxfix.verify.inputs import input_specs
from onnxfix.verify.readers import readers
from onnxfix.verify.sizes import levels
from onnxfix.verify.units import shown
from onnxfix.verify.values import seeded
from onnxfix.verify.watched import Range, Watch
from onnxfix.verify.watching import INSIDE, Found, Seen, Want

_INTEGERS = tuple(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_TYPES = set(map(onnx.TensorProto.DataType.Value, ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "BOOL", *_INTEGERS)))


def watch(
    model: Model,
    feeds: Mapping[str, Any] | None = None,
    *,
    only: Sequence[str] | None = None,
    want: Want = "figures",
    timeout: float = 600.0,
    progress: Callable[[str], object] = str,
) -> Watch:
    """Runs the model on `feeds` (by default seeded values that it takes) and watches every value.

    `only` names values of the main graph to watch and no others; `want` says what to give besides figures (see there).
    `timeout` is in seconds.  Raises OnnxfixError when ONNX Runtime does not take the model or the inputs, and
    SandboxFailure when it crashes or takes too long.
    """
    scopes = [scope for scope in typed_scopes(model)[0] if scope.id[:1] != ("f",)]
    asked: dict[ScopeId, list[tuple[str, int]]] = {}
    skipped: list[tuple[str, str]] = []
    for scope in scopes[:1] if only is not None else scopes:
        wanted, unfit = _wanted(scope, only)
        sizes = ((name, scope.type_of(name).nbytes) for name in wanted)
        asked[scope.id] = [(name, -1 if size is None else size) for name, size in sizes]
        skipped += unfit
    with _naming(model):
        choices = [dict(feeds)] if feeds is not None else list(_seeded(model))
    count = sum(map(len, asked.values()))
    with scratch() as folder:
        path = Path(folder, "model.onnx")
        save(shown(scopes[0], model, asked, want != "arrays"), path, embed=False)
        progress(f"watching {count} values")
        with _naming(model):
            found: Found = sandbox.default().call(
                "onnxfix.verify.watching:watch_here",
                *(str(path), asked, choices, want),
                timeout=timeout,
                progress=lambda done: progress(f"watching values ({done} of {count})"),
            )
        inside = (load(Path(folder, INSIDE)), found.fed) if found.fed is not None else None
    values = tuple(_range(seen) for seen in found.seen)
    return Watch(
        values,
        (*skipped, *found.skipped),
        found.arrays,
        choices[found.choice],
        tuple(scopes[0].outputs),
        values[found.first] if found.first >= 0 else None,
        inside,
        readers(scopes, values, choices[found.choice]),
    )


@contextmanager
def _naming(model: Model) -> Iterator[None]:
    """Errors say which model they are about."""
    try:
        yield
    except OnnxfixError as error:
        error.where = error.where or model.label
        raise


def _wanted(scope: Scope, only: Sequence[str] | None) -> tuple[list[str], list[tuple[str, str]]]:
    """The values of a graph to watch, and those that are not watched, with the reason; `only` may be of any kind."""
    wanted, skipped = [], []
    for node in scope.nodes:
        for name in filter(None, node.output):
            if only is not None:
                wanted += [name] if name in only else []
                continue
            if node.op_type == "Constant":
                continue
            kind = scope.type_of(name)
            path = "/".join(filter(None, (scope.label, name)))
            if kind.kind != "tensor":
                skipped.append((path, f"it is a {kind.kind}"))
            elif kind.dtype and kind.dtype not in _TYPES:
                skipped.append((path, "it holds no plain numbers"))
            else:
                wanted.append(name)
    return wanted, skipped


def _seeded(model: Model) -> Iterator[dict[str, Any]]:
    specs = input_specs(model)
    for gentle in (False, True):
        for level in levels(specs, {}):
            yield from (dict(seeded(specs, sizes, 0, gentle=gentle)) for sizes in level[:1])


def _range(seen: Seen) -> Range:
    figures = {"dtype": "", "shape": (), **seen.figures}
    return Range(
        seen.name,
        seen.node,
        seen.op_type,
        seen.index,
        scope=seen.scope,
        runs=seen.runs,
        flawed_run=seen.flawed_run,
        **figures,
    )
