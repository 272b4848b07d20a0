"""Which opsets a model can reach, and which nodes stand in the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxfix.actions.convert_opset import REQUESTED
from onnxfix.fixpoint.conversion import blockers_of, convert
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import repair_model
from onnxfix.model.model import Model
from onnxfix.model.types import STANDARD
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
    """As far as one conversion leads, then what stands in its way, and on from there if that can be rewritten."""
    blockers: tuple[Diagnostic, ...] = ()
    while versions and not blockers:
        passed, model = _passed(model, versions, rules)
        yield from (OpsetReach(version) for version in versions[:passed])
        versions = versions[passed:]
        if versions:
            outcome = convert(model, versions[0], rules)
            model, blockers = outcome.model, tuple(found.diagnostic() for found in blockers_of(outcome))
            yield OpsetReach(versions[0], blockers=blockers)
            versions = versions[1:]
    yield from (OpsetReach(version, blockers=blockers) for version in versions)


def _passed(model: Model, versions: Sequence[int], rules: Sequence[Rule]) -> tuple[int, Model]:
    """How many of the versions a conversion passes with nothing in its way, and the model at the last of them.

    A function of another version than the main graph may have to go another way to each version: none is passed then.
    """
    imports = [model.proto.opset_import, *(function.opset_import for function in model.proto.functions)]
    if len({entry.version for own in imports for entry in own if entry.domain in STANDARD}) > 1:
        return 0, model
    while versions:
        outcome = repair_model(model, rules, Options(opset=versions[-1], select=(REQUESTED,)))
        blocked = blockers_of(outcome)
        if not blocked:
            return len(versions), outcome.model
        at = blocked[0].proposal.scope.opset
        versions = versions[: versions.index(at) + 1 if at in versions else 0]
    return 0, model
