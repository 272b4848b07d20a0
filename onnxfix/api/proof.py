"""Proving a repair: the verdict on a candidate file, and who looks into a bad one."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import onnx

from onnxfix import __version__
from onnxfix.actions.refusals import Refusals
from onnxfix.actions.request import NO_REQUEST
from onnxfix.api.guilt import Investigation
from onnxfix.fixpoint.conversion import repaired
from onnxfix.fixpoint.options import FixKey, Options
from onnxfix.fixpoint.rounds import Outcome, continued
from onnxfix.legalise import Attempt, known_refusals, legalise
from onnxfix.model import Draft, Model, Weights, draft, save, weight_files
from onnxfix.model.messages import copied
from onnxfix.model.patience import at_most, patience
from onnxfix.records import Check, Verdict
from onnxfix.rewrite.rule import Rule
from onnxfix.scratch import scratch

Verification = Literal["none", "numeric", "engine"]

METADATA_KEY = "onnxfix"
"""Key of the metadata_props entry in which a repaired model carries its journal, as JSON."""

_JOURNAL_NODES = 50
_ENGINE_SECONDS, _NUMERIC_SECONDS = 300.0, 600.0


@dataclass(frozen=True)
class Proof:
    """What a repair has to be proven against, and how far; `progress` is told each stage."""

    original: Model
    rules: tuple[Rule, ...]
    options: Options
    verify: Verification
    inputs: Path | None
    progress: Callable[[str], object]

    def legalised(self, outcome: Outcome, drafts: Drafts) -> Attempt:
        """The outcome with what the target refuses rewritten, and the engine check of the result.

        The target itself is asked when engines are to be verified; what is known of it is the answer otherwise, and
        where it is not installed.
        """
        engine = None
        if self.verify == "engine":
            attempt = legalise(
                outcome,
                self.rules,
                self.options,
                lambda made: self._engine(drafts.of(made).path),
                lambda made, refused: self._fitted(drafts.of(made).path, refused),
            )
            if attempt.engine is not None and attempt.engine.outcome != "not_verified":
                return attempt
            outcome, engine = attempt.outcome, attempt.engine
        refusals = known_refusals(outcome.scopes, self.options.target)
        if refusals:
            following = continued(outcome, self.rules, self.options, refusals)
            if following.journal != outcome.journal and engine is not None:
                engine = self._engine(drafts.of(following).path)
            outcome = following
        return Attempt(outcome, engine, refusals)

    def _engine(self, path: Path) -> Check:
        from onnxfix.verify.engine import verify_engine
        from onnxfix.verify.lists import tensors
        from onnxfix.verify.values import recorded_inputs

        self.progress(f"building the engine{at_most(self.original, _ENGINE_SECONDS)}")
        frozen = self.options.request.freeze
        sample = tensors(recorded_inputs(self.inputs, self.original, frozen)) if self.inputs else None
        limit = patience(self.original, _ENGINE_SECONDS)
        return verify_engine(path, self.options.target, sample=sample, timeout=limit)

    def _fitted(self, path: Path, refused: Check) -> Check:
        """A refused candidate for sizes that fit it; recorded inputs leave no choice."""
        from onnxfix.verify.engine import verify_fitting

        limit = patience(self.original, _ENGINE_SECONDS)
        return refused if self.inputs else verify_fitting(path, refused, self.options.target, timeout=limit)

    def verdict(self, attempt: Attempt, path: Path) -> Verdict:
        """Structure, then numbers (not tried when the structure is wrong), and what the engine check said.

        Raises ModelFileError when the original or its weights changed meanwhile.
        """
        checks: list[Check] = []
        if attempt.outcome.journal:
            checks.append(_structural(attempt.outcome))
            if self.verify != "none" and checks[0].outcome != "failed":
                self.progress(f"comparing the outputs with the original's{at_most(self.original, _NUMERIC_SECONDS)}")
                checks.append(self._numeric(attempt.outcome.rest, path))
        if attempt.engine is not None and self.verify == "engine":
            checks.append(attempt.engine)
        self.original.confirm()
        return Verdict(tuple(checks))

    def _numeric(self, rest: Model | None, path: Path) -> Check:
        """The comparison with the original; a model that was cut is followed by its rest."""
        from onnxfix.verify.budget import NUMERIC, short_of_memory
        from onnxfix.verify.numeric import verify_numeric

        if reason := short_of_memory(self.original, NUMERIC):
            return Check("numeric", "not_verified", f"not run: {reason} (--verify none writes the result unproven)")
        with ExitStack() as files:
            tail = None
            if rest is not None:
                tail = Path(files.enter_context(scratch()), "rest.onnx")
                save(rest, tail)
            return verify_numeric(
                self.original,
                path,
                inputs=self.inputs,
                interface_changes=self.options.interface_changes,
                request=self.options.request,
                rest=tail,
                timeout=patience(self.original, _NUMERIC_SECONDS),
            )

    def investigation(self, attempt: Attempt, verdict: Verdict) -> Investigation | None:
        """How to find the fixes behind a bad verdict; None for a good one, and for an engine that never was.

        An engine accuses the fixes only when it can be built of the original.
        """
        bad = {check.kind for check in verdict.checks if check.outcome == "failed"}
        if not bad or not attempt.outcome.journal:
            return None
        judge = self._judged
        if bad == {"engine"}:
            with candidate_file(Outcome(self.original), None) as file:
                if self._engine(file.path).outcome != "passed":
                    return None
            judge = self._judged_by_engine
        return Investigation(self.original, self.rules, self.options, judge, self.progress, attempt.refusals)

    def _judged(self, model: Model, outcome: Outcome) -> Verdict:
        whole = model is self.original
        proof = replace(self, original=model, verify="numeric", inputs=self.inputs if whole else None)
        with candidate_file(outcome, None) as file:
            return (proof if whole else proof.unasked()).verdict(Attempt(outcome), file.path)

    def _judged_by_engine(self, model: Model, outcome: Outcome) -> Verdict:
        with candidate_file(Outcome(model), None) as before, candidate_file(outcome, None) as after:
            proof = replace(self, original=model, inputs=self.inputs if model is self.original else None)
            if proof._engine(before.path).outcome != "passed":
                return Verdict()
            return Verdict((proof._engine(after.path),))

    def unasked(self) -> Proof:
        """The proof without the changes to the interface that the user asked for."""
        return replace(self, options=replace(self.options, request=NO_REQUEST))

    def without(self, keys: Sequence[FixKey], refusals: Refusals) -> tuple[Proof, Outcome]:
        """The same proof, and the repair with some fixes left out."""
        options = replace(self.options, taken_back=self.options.taken_back | frozenset(keys))
        return replace(self, options=options), repaired(self.original, self.rules, options, refusals)


class Drafts:
    """The candidate of one repair as a file: the last one asked for, which may become the result.

    Use it in a `with`; what is not published is gone at its end.  The draft of a changed model, and with `always`
    that of any model, lies at `goal`, its weights where `weights` puts them.
    """

    def __init__(self, goal: Path | None, always: bool, weights: Weights | None = None) -> None:
        self.goal, self.always, self.weights = goal, always, weights
        self._files = ExitStack()
        self._last: tuple[onnx.ModelProto, Draft] | None = None

    def __enter__(self) -> Drafts:
        return self

    def __exit__(self, *_: object) -> None:
        with self.weights or nullcontext():
            self._files.close()

    def of(self, outcome: Outcome) -> Draft:
        """The file of an outcome's model; the file of the one before goes."""
        if self._last is None or self._last[0] is not outcome.model.proto:
            self._files.close()
            draft = self._files.enter_context(candidate_file(outcome, self.place(outcome), self.weights))
            self._last = outcome.model.proto, draft
        return self._last[1]

    def place(self, outcome: Outcome) -> Path | None:
        """Where the result of an outcome belongs; None when nothing is to be written."""
        return self.goal if outcome.journal or self.always else None


def refusal(verdict: Verdict) -> str:
    """Why a repaired model is not written, or ""."""
    for check in verdict.checks:
        if check.outcome == "failed" or (check.outcome == "not_verified" and check.kind == "numeric"):
            return f"{check.kind} check: {check.reason}"
    return ""


@contextmanager
def candidate_file(outcome: Outcome, goal: Path | None, weights: Weights | None = None) -> Iterator[Draft]:
    """The repaired model as a file, not yet published, where it finds its weights: beside its goal, if it has one.

    Without a goal a model that was not changed is its own candidate; another lies beside its weights, or with a copy of
    them where that folder is read-only.  `weights` are those of all candidates for `goal`.
    """
    home = outcome.model.path
    if goal is None and home and not outcome.journal:
        yield Draft(home, home, outcome.model)
        return
    model = _with_journal(outcome) if outcome.journal else outcome.model
    with ExitStack() as files:
        place = goal or (home if home and weight_files(model) and os.access(home.parent, os.W_OK) else None)
        if place is None:
            place = Path(files.enter_context(scratch()), "model.onnx")
        if weights is None or goal is None:
            weights = files.enter_context(Weights(model, place))
        yield files.enter_context(draft(model, place, weights))


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
