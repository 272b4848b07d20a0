"""Which fixes break a repaired model: found by leaving fixes of the journal out, and repairing again without them.

A fix that is left out takes along those that build on it, because they find nothing to repair then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import onnx

from onnxfix.actions.refusals import NOTHING, Refusals
from onnxfix.actions.request import NO_REQUEST
from onnxfix.errors import OnnxfixError
from onnxfix.fixpoint.conversion import repaired
from onnxfix.fixpoint.options import FixKey, Options
from onnxfix.fixpoint.rounds import Outcome, key_of
from onnxfix.model import Model
from onnxfix.model.file import external_tensors
from onnxfix.model.inference import typed_scopes
from onnxfix.model.scope import Scope
from onnxfix.opset.inline import called, functions_of
from onnxfix.records import AppliedFix, Culprit, Verdict
from onnxfix.rewrite.rule import Rule

HOPS = ((0, True), (1, False), (1, True), (2, False), (2, True))
"""So far before a guilty fix, and behind it too, the minimal example may reach."""

_LARGE_EXAMPLE = 1 << 16

Judge = Callable[[Model, Outcome], Verdict]
"""Says whether a repair of a model is right."""


@dataclass(frozen=True)
class Guilt:
    """The fixes to take back, and a record of each."""

    keys: tuple[FixKey, ...] = ()
    culprits: tuple[Culprit, ...] = ()

    @property
    def one_rule(self) -> bool:
        """Whether they are of one rule; where several are wrong, the repair is not to be trusted."""
        return len({code for code, _, _ in self.keys}) == 1


@dataclass(frozen=True)
class Investigation:
    """A repair that is wrong. `judge` gives the verdict on another repair of the same model or of a part of it."""

    original: Model
    rules: Sequence[Rule]
    options: Options
    judge: Judge
    progress: Callable[[str], object]
    refusals: Refusals = NOTHING

    def look(self, outcome: Outcome, verdict: Verdict) -> Guilt:
        """The guilty fixes of the repair, each with what its rule breaks."""
        keys = self.guilty(outcome)
        entries = [entry for entry in outcome.journal if key_of(entry) in keys]
        first = {key_of(entry): entry for entry in reversed(entries)}
        return Guilt(tuple(keys), tuple(self.culprit(first[key], verdict) for key in keys))

    def guilty(self, outcome: Outcome) -> list[FixKey]:
        """The fewest fixes without which the repair is right, in the order of the journal; none when all of them are.

        Rules are looked at first, then the fixes of the guilty ones.  The steps of a conversion belong together, and
        are not taken one by one.
        """
        from onnxfix.isolate.minimal import culprits

        steps = {rule.code for rule in self.rules if rule.step}
        fixes = [entry for entry in outcome.journal if entry.code not in steps]
        codes = list(dict.fromkeys(entry.code for entry in fixes))
        if not self._right(_keys(fixes, codes)):
            return []
        wrong = culprits(codes, lambda chosen: self._right(_keys(fixes, chosen)))
        return culprits(_keys(fixes, wrong), self._right)

    def _right(self, without: Sequence[FixKey]) -> bool:
        """Whether the repair without these fixes is right."""
        self.progress(f"trying without {', '.join(dict.fromkeys(code for code, _, _ in without))}")
        outcome = self.repaired_without(without)
        return not outcome.journal or self.judge(self.original, outcome).outcome == "passed"

    def repaired_without(self, keys: Sequence[FixKey]) -> Outcome:
        """The repair without these fixes."""
        options = replace(self.options, taken_back=self.options.taken_back | frozenset(keys))
        return repaired(self.original, self.rules, options, self.refusals)

    def culprit(self, entry: AppliedFix, verdict: Verdict) -> Culprit:
        """A guilty fix as a record, with the smallest model of its surroundings that its rule breaks."""
        difference = next((check.reason for check in verdict.checks if check.outcome == "failed"), "")
        self.progress(f"looking for a minimal example of {entry.code}")
        example, said = self._example(entry)
        return Culprit(entry.code, entry.rule, entry.scope, entry.node, said or difference, example)

    def _example(self, entry: AppliedFix) -> tuple[str, str]:
        """(a minimal model as ONNX text, how its outputs differ), two empty texts when none is found."""
        from onnxfix.isolate.candidates import kept
        from onnxfix.isolate.extract import neighbours
        from onnxfix.isolate.minimal import thinned

        options = replace(self.options, select=(entry.code,), opset=None, request=NO_REQUEST)
        for scope, index in self._places(entry):

            def broken(others: Sequence[int], scope: Scope = scope, index: int = index) -> str:
                return self._broken(kept(scope, [*others, index]), entry, options)

            for hops, both in HOPS:
                others = [place for place in neighbours(scope, [index], hops, both=both) if place != index]
                if broken(others):
                    few = thinned(others, lambda chosen: bool(broken(chosen)))
                    proto = kept(scope, [*few, index])
                    assert proto is not None
                    return _text(self.original.with_proto(proto)), broken(few)
        return "", ""

    def _places(self, entry: AppliedFix) -> Iterator[tuple[Scope, int]]:
        """Where the fix is: the node itself or, when that is in a function, those that call the function."""
        scopes = typed_scopes(self.original)[0]
        functions = functions_of(self.original.proto)
        inside = next((scope for scope in scopes if scope.is_function and scope.label == entry.scope), None)
        for scope in scopes:
            for index, node in enumerate(scope.nodes if not scope.is_function else ()):
                own = scope.label == entry.scope and entry.node in (node.name, *node.output)
                if own or (inside is not None and functions.get(called(node)) is inside.proto):
                    yield scope, index
                    break

    def _broken(self, proto: onnx.ModelProto | None, entry: AppliedFix, options: Options) -> str:
        """What a repair of this part by the rule alone gets wrong, "" when nothing, or when this fix is not in it."""
        if proto is None:
            return ""
        piece = self.original.with_proto(proto)
        try:
            outcome = repaired(piece, self.rules, options)
            there = any(fix.node == entry.node for fix in outcome.journal)
            verdict = self.judge(piece, outcome) if there else Verdict()
        except OnnxfixError:
            return ""
        return next((check.reason for check in verdict.checks if check.outcome == "failed"), "")


def _keys(fixes: Sequence[AppliedFix], codes: Sequence[str]) -> list[FixKey]:
    """All fixes of these rules."""
    return list(dict.fromkeys(key_of(entry) for entry in fixes if entry.code in codes))


def _text(model: Model) -> str:
    """ONNX text of a small model; "" when weights make it too long to read."""
    stored = sum(tensor.ByteSize() for tensor in model.proto.graph.initializer)
    if any(True for _ in external_tensors(model.proto)) or stored > _LARGE_EXAMPLE:
        return ""
    return onnx.printer.to_text(model.proto)
