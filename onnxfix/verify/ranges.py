"""What flows through a model: every value of the main graph watched in ONNX Runtime, in bounded memory.

The values are outputs of one session, and asked for a few at a time; only their figures are kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix import sandbox
from onnxfix.errors import OnnxfixError
from onnxfix.model import Model, save
from onnxfix.model.inference import typed_scopes
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.sandbox.progress import tell
from onnxfix.verify.figures import FP16_MAX, FP16_TINY, figures_of
from onnxfix.verify.inputs import input_specs
from onnxfix.verify.layers import chunks, marked
from onnxfix.verify.runtime import CannotLoad, CannotRun, Session
from onnxfix.verify.sizes import levels
from onnxfix.verify.values import seeded

_INTEGERS = tuple(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_TYPES = set(map(onnx.TensorProto.DataType.Value, ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "BOOL", *_INTEGERS)))


@dataclass(frozen=True, slots=True)
class Range:
    """One value. `index` is the place of its node in the main graph; `low` and `high` are of its finite elements.

    `smallest` is the smallest magnitude above 0.  The counts are of elements: NaN, infinite, beyond float16 and beyond
    int32, denormal in its own type.  `constant`: more than one element, and all equal.
    """

    name: str
    node: str
    op_type: str
    index: int
    dtype: str
    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 0.0
    smallest: float = 0.0
    nan: int = 0
    infinite: int = 0
    beyond_fp16: int = 0
    beyond_int32: int = 0
    denormal: int = 0
    constant: bool = False

    @property
    def flaw(self) -> str:
        """What of it is not finite, "" when all is."""
        return "NaN" if self.nan else "infinity" if self.infinite else ""

    @property
    def keep_fp32(self) -> str:
        """Why float16 cannot hold this value, "" when it can or the value is no float32."""
        if self.dtype not in ("float32", "float64", "bfloat16"):
            return ""
        if self.beyond_fp16:
            return f"it reaches {max(abs(self.low), abs(self.high)):.3g}, and float16 ends at {FP16_MAX:g}"
        if 0 < max(abs(self.low), abs(self.high)) < FP16_TINY:
            return f"all of it is below {FP16_TINY:.2g}, which is 0 in float16"
        return ""


@dataclass(frozen=True, slots=True)
class Watch:
    """The values in the order of the nodes, and what was not watched, with the reason.

    `arrays` holds the values themselves where they were asked for, `feeds` what the inputs were.
    """

    values: tuple[Range, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)
    feeds: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    @property
    def first(self) -> Range | None:
        """The first value that is not finite."""
        return next((value for value in self.values if value.flaw), None)

    @property
    def dead(self) -> tuple[str, ...]:
        """The outputs of the model that have one number everywhere."""
        return tuple(value.name for value in self.values if value.constant and value.name in self.outputs)

    @property
    def keep_fp32(self) -> dict[str, str]:
        """The nodes (by name, or by the value they make) that float16 would break, with the reason."""
        return {value.node or value.name: value.keep_fp32 for value in self.values if value.keep_fp32}

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON types."""
        first = self.first
        return {
            "values": [{**asdict(value), "keep_fp32": value.keep_fp32} for value in self.values],
            "first_not_finite": first.name if first else "",
            "dead_outputs": list(self.dead),
            "keep_fp32": self.keep_fp32,
            "skipped": [list(item) for item in self.skipped],
        }


def watch(
    model: Model,
    feeds: Mapping[str, Any] | None = None,
    *,
    only: Sequence[str] | None = None,
    keep: bool = False,
    timeout: float = 600.0,
    progress: Callable[[str], object] = str,
) -> Watch:
    """Runs the model on `feeds` (by default seeded values that it takes) and watches every value of the main graph.

    `only` names the values to watch; `keep` gives them back.  `timeout` is in seconds.  Raises OnnxfixError when
    ONNX Runtime does not take the model or the inputs, and SandboxFailure when it crashes or takes too long.
    """
    scope = typed_scopes(model)[0][0]
    wanted, skipped = _wanted(scope, only)
    choices = [dict(feeds)] if feeds is not None else list(_seeded(model))
    parts = list(chunks(wanted, scope, {}))
    with tempfile.TemporaryDirectory(prefix="onnxfix-") as folder:
        path = Path(folder, "watched.onnx")
        save(marked(model, wanted, scope), path, embed=False)
        progress(f"watching {len(wanted)} values")
        figures, arrays, place = sandbox.default().call(
            "onnxfix.verify.ranges:watch_here",
            *(str(path), parts, choices, keep),
            timeout=timeout,
            progress=lambda done: progress(f"watching values ({done} of {len(wanted)})"),
        )
    values = [_range(scope, name, figures[name]) for name in wanted if name in figures]
    return Watch(tuple(values), tuple(skipped), arrays, choices[place], tuple(scope.outputs))


def watch_here(
    path: str, parts: Sequence[Sequence[str]], choices: Sequence[Mapping[str, Any]], keep: bool
) -> tuple[dict[str, dict[str, Any]], dict[str, Array], int]:
    """`watch` in this process: the figures by name, the arrays, and which of the choices the model took."""
    try:
        session = Session(Path(path))
        place = _taken(session, choices)
        figures: dict[str, dict[str, Any]] = {}
        arrays: dict[str, Array] = {}
        for names in parts:
            for name, value in session.run(choices[place], names).items():
                if isinstance(value, np.ndarray):
                    figures[name] = figures_of(value)
                    if keep:
                        arrays[name] = value
            tell(len(figures))
    except (CannotLoad, CannotRun) as error:
        raise OnnxfixError(f"ONNX Runtime does not run it: {error}") from None
    return figures, arrays, place


def _taken(session: Session, choices: Sequence[Mapping[str, Any]]) -> int:
    """The first of the choices that the model runs on; the outputs are not looked at."""
    for place, feeds in enumerate(choices[:-1]):
        try:
            session.run(feeds, session.outputs[:1])
        except CannotRun:
            continue
        return place
    return len(choices) - 1


def _wanted(scope: Scope, only: Sequence[str] | None) -> tuple[list[str], list[tuple[str, str]]]:
    wanted, skipped = [], []
    for node in scope.nodes:
        for name in filter(None, node.output):
            if only is not None and name not in only:
                continue
            kind = scope.type_of(name)
            if node.op_type == "Constant" and only is None:
                continue
            if kind.kind != "tensor":
                skipped.append((name, f"it is a {kind.kind}"))
            elif kind.dtype not in _TYPES:
                skipped.append((name, "its type is not known" if not kind.dtype else "it holds no plain numbers"))
            else:
                wanted.append(name)
        if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
            skipped.append((node.name or node.op_type, "values inside its graphs are not watched"))
    return wanted, skipped


def _seeded(model: Model) -> Iterator[dict[str, Any]]:
    specs = input_specs(model)
    for gentle in (False, True):
        for level in levels(specs, {}):
            yield from (dict(seeded(specs, sizes, 0, gentle=gentle)) for sizes in level[:1])


def _range(scope: Scope, name: str, figures: Mapping[str, Any]) -> Range:
    index = scope.producer[name][0]
    node = scope.nodes[index]
    return Range(name, node.name, node.op_type, index, **figures)
