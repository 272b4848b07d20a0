"""What `diff` has to say, as plain records."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Kind = Literal[
    "removed",
    "inserted",
    "replaced",
    "attribute",
    "rewired",
    "weight",
    "input",
    "output",
    "renamed",
    "moved",
    "placement",
    "value-info",
    "opset",
    "ir-version",
    "metadata",
    "docs",
    "function",
]
"""What changed: a piece of the graph, one node, a stored tensor, the interface, names, order, or the file's head."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    `subject` names the node, value or entry; `before` and `after` hold lines: nodes as ONNX text, or a value.
    `old` and `new` name the nodes of the piece on both sides (the first output of each).  `rule` is the code of the
    onnxfix rule that the second model's journal blames.  `details` are figures (JSON types only): of a "weight" the
    `relation` ("changed", "retyped", "requantized", "transposed", "reshaped", "other", "added" or "removed") and what
    `figures.compared` gives; of a piece the `tensors` that only one side of it reads.
    """

    kind: Kind
    subject: str
    message: str
    scope: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    rule: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DiffReport:
    """All changes from one model to another.

    `matched` counts the nodes that both have, `nodes` those of each model without constants.  `numbers` is the
    comparison of the outputs when it was asked for (see `numbers.compare_numbers`).
    """

    before: str
    after: str
    changes: tuple[Change, ...] = ()
    nodes: tuple[int, int] = (0, 0)
    matched: int = 0
    numbers: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 when the models are the same, 1 when they differ, or were to be run and were not shown to be equal."""
        return int(bool(self.changes) or self.numbers.get("outcome", "passed") != "passed")

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {**asdict(self), "exit_code": self.exit_code}
