"""What onnxfix has to say: plain records that every report renders.

Nothing here imports onnx, so that a report can be rendered without loading a model.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["error", "warning", "note"]
Applicability = Literal["safe", "unsafe", "display"]
Outcome = Literal["passed", "failed", "not_verified"]
Kind = Literal["defect", "refused", "silent_wrong", "precision", "unknown"]
State = Literal["ready", "repairable", "blocked"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding of one rule.

    `scope` is "" in the main graph, else the path of the subgraph or function (`if_1/then_branch`).
    `fix` is None when nothing can repair it.  `kind`: the target refuses it ("refused"), takes it and computes
    something else ("silent_wrong"), or computes it less exactly ("precision"), or no source says whether it takes the
    operator ("unknown"); "defect" is anything else.  `said` is the target's own text, or the fact base's, and `source`
    whose word that is.  `origin` is the line of Python that the exporter recorded for the node.
    """

    code: str
    rule: str
    level: Level
    message: str
    scope: str = ""
    node: str = ""
    op_type: str = ""
    value: str = ""
    fix: Applicability | None = None
    kind: Kind = "defect"
    said: str = ""
    source: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class AppliedFix:
    """One journal entry: the nodes a rule removed and made, as ONNX text, and the values it renamed."""

    code: str
    rule: str
    applicability: Applicability
    message: str
    round: int
    scope: str = ""
    node: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A fix that was not applied, and why."""

    diagnostic: Diagnostic
    reason: str


@dataclass(frozen=True, slots=True)
class Culprit:
    """A fix that makes a repair wrong: its rule and its node, and what differs with it.

    `example` is a small model as ONNX text that the rule breaks on its own, "" when none was found.
    """

    code: str
    rule: str
    scope: str
    node: str
    difference: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One verification. `reason` is a sentence; `details` are the figures behind it (JSON types only)."""

    kind: Literal["structural", "numeric", "engine"]
    outcome: Outcome
    reason: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of one repaired model."""

    checks: tuple[Check, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """`failed` if any check failed, `passed` if all passed, else `not_verified`."""
        outcomes = {check.outcome for check in self.checks}
        if "failed" in outcomes:
            return "failed"
        return "passed" if outcomes == {"passed"} else "not_verified"

    def of(self, kind: str) -> Check | None:
        """The check of that kind, or None when it was not asked for."""
        return next((check for check in self.checks if check.kind == kind), None)


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """The few facts about a model that head a report."""

    opset: int
    ir_version: int
    nodes: int
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpsetReach:
    """Whether a model can be converted to an opset version; `own` marks the version it has."""

    version: int
    own: bool = False
    blockers: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class OpsetReport:
    """The opset versions that a model can reach, in order, and what keeps it from the others."""

    model: str
    opset: int
    reach: tuple[OpsetReach, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class InterfaceChange:
    """An input or output that callers find changed: its signature before and after, as ONNX text writes a type.

    `before` is "" for one that is new, `after` for one that is gone.  An input that became a constant has
    `constant TYPE = VALUE` after, and an output that a cut left to the rest `in the rest: TYPE`.
    """

    kind: Literal["input", "output"]
    name: str
    before: str
    after: str


CHOSEN = "sizes chosen by onnxfix: "
"""How a note begins that is told also where the target itself answered: its answer rests on these sizes."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` found in one model for one target.

    `complaint` is what the ONNX checker says of it, "" when it is valid.  `target_name` is the name to type.  `state`:
    "ready" when no error stands against it, "repairable" when safe fixes remove them all, else "blocked".  `asked` is
    the library that was asked itself, "" where it is not on this machine; `notes` are sentences for the reader.
    """

    model: str
    target: str
    summary: ModelSummary
    diagnostics: tuple[Diagnostic, ...] = ()
    complaint: str = ""
    target_name: str = ""
    state: State = "ready"
    asked: str = ""
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """The notes for a reader: where the target itself answered, only what its answer rests on."""
        return tuple(note for note in self.notes if not self.asked or note.startswith(CHOSEN))

    @property
    def exit_code(self) -> int:
        """0 when the model is valid and nothing but notes was found, else 1."""
        return int(bool(self.complaint) or any(d.level != "note" for d in self.diagnostics))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {**asdict(self), "exit_code": self.exit_code}


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What `repair` did to one model. `output` is "" when nothing was written; `unwritten` says why.

    `interface` lists what callers find changed, `rest` is the file with what a cut took off ("" without one).
    """

    model: str
    target: str
    before: ModelSummary
    after: ModelSummary
    fixes: tuple[AppliedFix, ...] = ()
    remaining: tuple[Diagnostic, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    verdict: Verdict = field(default_factory=Verdict)
    output: str = ""
    unwritten: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    interface: tuple[InterfaceChange, ...] = ()
    rest: str = ""
    culprits: tuple[Culprit, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when all defects are fixed and verified, 1 when some remain (withheld or not) or a check did not pass."""
        held = (item.diagnostic for item in self.withheld)
        defects = any(d.level != "note" for d in (*self.remaining, *held))
        unproven = bool(self.verdict.checks) and self.verdict.outcome != "passed"
        return int(defects or unproven or (bool(self.fixes) and not self.output and bool(self.unwritten)))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {
            **asdict(self),
            "verdict": {**asdict(self.verdict), "outcome": self.verdict.outcome},
            "exit_code": self.exit_code,
        }


def finite(value: Any) -> Any:
    """JSON types with the texts "inf", "-inf" and "nan" for the numbers that JSON cannot write."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
