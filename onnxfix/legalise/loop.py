"""The loop of truth: build, look up who is refused, rewrite, build again, until it builds or nothing applies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from onnxfix.actions.refusals import NOTHING, Refusals, forms
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, continued
from onnxfix.legalise.locate import located
from onnxfix.legalise.probe import refused_alone
from onnxfix.records import Check
from onnxfix.rewrite.rule import Rule

MAX_TRIALS = 60


@dataclass(frozen=True)
class Attempt:
    """A model that legalising came to, what the target said of it (None: not asked), and the refusals behind it."""

    outcome: Outcome
    engine: Check | None = None
    refusals: Refusals = NOTHING


def legalise(
    outcome: Outcome,
    rules: Sequence[Rule],
    options: Options,
    build: Callable[[Outcome], Check],
    fitted: Callable[[Outcome, Check], Check],
) -> Attempt:
    """Rewrite what the target refuses.

    `build` gives the engine check of a candidate; its details hold the errors.  A model that the target takes comes
    back unchanged.  The last attempt's outcome tells in `remaining` which nodes are still refused.  `fitted` gives the
    check for other sizes than those a refused candidate was asked with: of the model as it came and of the last that
    was built, the last resort where no rewrite helps, and none is held back.
    """
    refusals, asked = NOTHING, [outcome]
    check = build(outcome)
    for _ in range(MAX_TRIALS):
        if check.outcome != "failed" or not check.details.get("errors"):
            break
        more = _refused(outcome, check.details["errors"], refusals, options)
        if more is None:
            break
        refusals = more
        done = len(outcome.journal)
        outcome = continued(outcome, rules, options, refusals)
        if len(outcome.journal) == done:
            break
        check = build(outcome)
        asked = [asked[0], outcome]
    held = any(finding.level == "error" for finding, _ in outcome.withheld)
    if check.outcome == "failed" and not held:
        for candidate in asked:
            fitting = fitted(candidate, check)
            if fitting.outcome == "passed":
                return Attempt(candidate, fitting)
    return Attempt(outcome, check, refusals)


def _refused(outcome: Outcome, errors: Sequence[dict[str, Any]], known: Refusals, options: Options) -> Refusals | None:
    """The refusals known so far and those behind the errors; None when nothing new is found."""
    parse, build = located(outcome.scopes, errors)
    more = known.with_nodes(forms(parse, exact=False), forms(build, exact=True))
    if not _grew(known, more):
        alone = list(refused_alone(outcome.scopes, options.target))
        more = known.with_nodes({}, forms(alone, exact=True))
    return more if _grew(known, more) else None


def _grew(known: Refusals, more: Refusals) -> bool:
    return len(more.wide) + len(more.exact) > len(known.wide) + len(known.exact)
