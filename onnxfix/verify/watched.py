"""What was seen of values that flow through a model: figures of one value, and of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from onnxfix.model import Model
from onnxfix.model.model import Array
from onnxfix.verify.figures import FP16_MAX, FP16_TINY


@dataclass(frozen=True, slots=True)
class Range:
    """One value. `index` is the place of its node in its graph; `low` and `high` are of its finite elements.

    A value of a graph inside a node, or of a function, is told by its path: "loop/body/value", `scope` being
    "loop/body"; its figures are of all the times it was computed (`runs`), and `shape` is the last one's.
    `smallest` is the smallest magnitude above 0.  The counts are of elements: NaN, infinite, beyond float16 and beyond
    int32, denormal in its own type.  `constant`: more than one element, and all equal.  `flawed_run` is the run in
    which it first was not finite, from 0, and -1 without one.
    """

    name: str
    node: str
    op_type: str
    index: int
    dtype: str
    shape: tuple[int, ...]
    scope: str = ""
    low: float = 0.0
    high: float = 0.0
    smallest: float = 0.0
    nan: int = 0
    infinite: int = 0
    beyond_fp16: int = 0
    beyond_int32: int = 0
    denormal: int = 0
    constant: bool = False
    runs: int = 1
    flawed_run: int = -1

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
            return f"it stays below {FP16_TINY:.2g}, which is 0 in float16"
        return ""


@dataclass(frozen=True, slots=True)
class Watch:
    """The values in the order of the nodes, and what was not watched, with the reason.

    `first` is the first value, in the order of running, that was not finite although all that its node reads was:
    what hands on a stored infinity is not to blame. `arrays` holds the values themselves where they were asked for,
    `feeds` what the inputs were. `inside`, where it was asked for and the first value that is not finite belongs to
    a graph inside a node: that graph as a model, and what it was fed then. `readers` are the nodes that read what
    float16 cannot hold, with the reason.
    """

    values: tuple[Range, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)
    feeds: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    first: Range | None = None
    inside: tuple[Model, Mapping[str, Any]] | None = None
    readers: Mapping[str, str] = field(default_factory=dict)

    @property
    def dead(self) -> tuple[str, ...]:
        """The outputs of the model that have one number everywhere."""
        return tuple(value.name for value in self.values if value.constant and value.name in self.outputs)

    @property
    def handed_on(self) -> tuple[str, ...]:
        """The values that are not finite where nothing made them so: inputs and stored tensors hold it."""
        return () if self.first else tuple(value.name for value in self.values if value.flaw)

    @property
    def keep_fp32(self) -> dict[str, str]:
        """The nodes (by name, or by the value they make) that float16 would break, with the reason.

        These are the ones that make what float16 cannot hold, and the ones that read it.
        """
        makers = {value.node or value.name: value.keep_fp32 for value in self.values if value.keep_fp32}
        return {**makers, **{node: why for node, why in self.readers.items() if node not in makers}}

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
