"""Proving a repair: the verdict on a candidate file, and the rule to blame when the verdict is bad."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from onnxfix import __version__
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, repair_model
from onnxfix.model import Draft, Model, draft, weight_files
from onnxfix.model.messages import copied
from onnxfix.records import Check, Diagnostic, Verdict, Withheld
from onnxfix.rewrite.rule import Rule
from onnxfix.verify.engine import verify_engine
from onnxfix.verify.numeric import verify_numeric
from onnxfix.verify.values import recorded_inputs

Verification = Literal["none", "numeric", "engine"]

METADATA_KEY = "onnxfix"
"""Key of the metadata_props entry in which a repaired model carries its journal, as JSON."""

_JOURNAL_NODES = 50


@dataclass(frozen=True)
class Proof:
    """What a repair has to be proven against, and how far; `progress` is told each stage."""

    original: Model
    rules: tuple[Rule, ...]
    options: Options
    verify: Verification
    inputs: Path | None
    progress: Callable[[str], object]

    def verdict(self, outcome: Outcome, path: Path) -> Verdict:
        """Structure, then numbers, then the engine; what follows a failure is not tried."""
        checks: list[Check] = []
        if outcome.journal:
            checks.append(_structural(outcome))
            if self.verify != "none" and checks[0].outcome != "failed":
                self.progress("comparing the outputs with the original's")
                checks.append(
                    verify_numeric(
                        self.original,
                        path,
                        inputs=self.inputs,
                        interface_changes=self.options.interface_changes,
                    )
                )
        if self.verify == "engine" and not any(check.outcome == "failed" for check in checks):
            self.progress("building the engine")
            sample = recorded_inputs(self.inputs, self.original) if self.inputs else None
            checks.append(verify_engine(path, self.options.target, sample=sample))
        return Verdict(tuple(checks))

    def guilty_rule(self, outcome: Outcome, verdict: Verdict, goal: Path | None) -> str:
        """The code of the one rule without whose fixes structure and numbers are right, or "".

        Tried from the last rule to the first, because later fixes build on earlier ones.
        """
        if verdict.outcome != "failed" or verdict.checks[-1].kind == "engine":
            return ""
        steps = {rule.code for rule in self.rules if rule.step}  # these belong to the conversion that took them
        codes = list(dict.fromkeys(entry.code for entry in reversed(outcome.journal) if entry.code not in steps))
        for code in codes if len(codes) > 1 else ():
            self.progress(f"trying without {code}")
            innocent, others = self.without(code)
            with candidate_file(others, goal) as file:
                verdict = replace(innocent, verify="numeric").verdict(others, file.path)
                if others.journal and verdict.outcome == "passed":
                    return code
        return ""

    def without(self, code: str) -> tuple[Proof, Outcome]:
        """The same proof, and the repair, with one rule left out."""
        options = replace(self.options, ignore=(*self.options.ignore, code))
        return replace(self, options=options), repair_model(self.original, self.rules, options)


def taken_back(outcome: Outcome, code: str) -> list[Withheld]:
    """The fixes of a guilty rule, as withheld ones."""
    reason = "taken back: with this fix the outputs or the structure are wrong"
    return [
        Withheld(Diagnostic(e.code, e.rule, "error", e.message, e.scope, e.node, fix=e.applicability), reason)
        for e in outcome.journal
        if e.code == code
    ]


def refusal(verdict: Verdict) -> str:
    """Why a repaired model is not written, or ""."""
    for check in verdict.checks:
        if check.outcome == "failed" or (check.outcome == "not_verified" and check.kind == "numeric"):
            return f"{check.kind} check: {check.reason}"
    return ""


@contextmanager
def candidate_file(outcome: Outcome, goal: Path | None) -> Iterator[Draft]:
    """The repaired model as a file, not yet published, where it finds its weights: beside its goal, if it has one.

    Without a goal a model that was not changed is its own candidate.
    """
    home = outcome.model.path
    if goal is None and home and not outcome.journal:
        yield Draft(home, home, None)
        return
    model = _with_journal(outcome) if outcome.journal else outcome.model
    with ExitStack() as files:
        place = goal or (home if weight_files(model) else None)
        if place is None:
            place = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="onnxfix-")), "model.onnx")
        yield files.enter_context(draft(model, place))


def _structural(outcome: Outcome) -> Check:
    if outcome.complaint and outcome.complaint == outcome.first_complaint:
        reason = f"the ONNX checker says the same of the result as of the original: {outcome.complaint}"
        return Check("structural", "not_verified", reason)
    if outcome.complaint:
        return Check("structural", "failed", f"the ONNX checker refuses the result: {outcome.complaint}")
    return Check("structural", "passed", "the ONNX checker accepts the result (full_check)")


def _with_journal(outcome: Outcome) -> Model:
    """The model with a short journal in its metadata_props, replacing an older one."""
    counts = Counter((entry.code, entry.rule) for entry in outcome.journal)
    nodes: dict[str, list[str]] = {}
    for entry in outcome.journal:
        nodes.setdefault(entry.code, []).append(entry.node)
    fixes = [
        {"code": code, "rule": rule, "count": count, "nodes": nodes[code][:_JOURNAL_NODES]}
        for (code, rule), count in counts.items()
    ]
    proto = copied(outcome.model.proto)
    kept = [entry for entry in proto.metadata_props if entry.key != METADATA_KEY]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    proto.metadata_props.add(key=METADATA_KEY, value=json.dumps({"version": __version__, "fixes": fixes}))
    return outcome.model.with_proto(proto)
