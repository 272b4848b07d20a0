"""Which opsets a model can reach, and which nodes stand in the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxfix.fixpoint.conversion import blockers_of, convert
from onnxfix.model.model import Model
from onnxfix.opset.prepare import NEWEST
from onnxfix.records import Diagnostic, OpsetReach
from onnxfix.rewrite.rule import Rule

LOWEST = 7
"""TensorRT reads nothing older, and neither does ONNX Runtime."""


def reach(model: Model, rules: Sequence[Rule]) -> tuple[OpsetReach, ...]:
    """Every version from 7, or from the model's own when that is older, to the newest, in order.

    Below the first version that cannot be reached on the way down, and above the first on the way up, the blockers
    are the same: a conversion goes one version at a time.  Raises OnnxfixError for a model of a version that is not
    known.
    """
    own = next((entry.version for entry in model.proto.opset_import if entry.domain in ("", "ai.onnx")), 1)
    down = list(_way(model, range(own - 1, min(LOWEST, own) - 1, -1), rules))
    up = list(_way(model, range(own + 1, NEWEST + 1), rules))
    return (*reversed(down), OpsetReach(own, own=True), *up)


def _way(model: Model, versions: Sequence[int], rules: Sequence[Rule]) -> Iterator[OpsetReach]:
    """One version after the other, each from the model that the one before came to."""
    blockers: tuple[Diagnostic, ...] = ()
    for version in versions:
        if not blockers:
            outcome = convert(model, version, rules)
            model, blockers = outcome.model, tuple(found.diagnostic() for found in blockers_of(outcome))
        yield OpsetReach(version, blockers=blockers)
