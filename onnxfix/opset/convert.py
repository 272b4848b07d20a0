"""Opset conversion: one version at a time, every node unchanged, adapted or rewritten by a step rule, or nothing.

An operator that the lower version does not have is first replaced by the body that its own schema gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx

from onnxfix.errors import OnnxfixError
from onnxfix.model.edit import Edit, apply_edits, edit_proto
from onnxfix.model.inference import typed_scopes
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.once import once
from onnxfix.model.scope import Scope, ScopeId, function_scopes, scopes_of
from onnxfix.model.text import node_text
from onnxfix.model.types import STANDARD
from onnxfix.opset import CODE, NAME
from onnxfix.opset.compat import judge
from onnxfix.opset.constants import stored_constant
from onnxfix.opset.expand import expansion
from onnxfix.opset.prepare import NEWEST, prepared
from onnxfix.opset.retype import retyped
from onnxfix.opset.view import changes, schema_at
from onnxfix.records import AppliedFix
from onnxfix.rewrite.match import match
from onnxfix.rewrite.replace import replacement
from onnxfix.rewrite.rule import Match, Rewrite, Rule

_Steps = dict[str, list[tuple[Rule, Rewrite]]]


@dataclass(frozen=True)
class Blocker:
    """A node that keeps a model from another opset version: `reason` says why, at which version."""

    scope: Scope
    node: int
    reason: str


@dataclass
class Conversion:
    """A converted model and what was done, or, when there are `blockers`, how far it came."""

    model: Model
    journal: list[AppliedFix] = field(default_factory=list)
    blockers: list[Blocker] = field(default_factory=list)


def plan_conversion(model: Model, scopes: Sequence[Scope], names: Names, rules: Iterable[Rule], to: int) -> Conversion:
    """Convert the main graph, its subgraphs and the functions to version `to` of the default domain.

    `scopes` are the model's with their types, `rules` hold the steps.  Other domains are left alone.
    Raises OnnxfixError when `to`, or the model's own version, is none that onnxfix knows.
    """
    for version in (to, *(scope.opset for scope in scopes)):
        if not 1 <= version <= NEWEST:
            raise OnnxfixError(
                f"opset {version} is not known",
                where=model.label,
                hint=f"conversion is possible between opsets 1 and {NEWEST}",
            )
    steps: dict[tuple[int, int], _Steps] = {}
    for rule in rules:
        for rewrite in rule.rewrites if rule.step else ():
            assert rule.step is not None
            steps.setdefault(rule.step, {}).setdefault(rewrite.root.op_type, []).append((rule, rewrite))
    work = _Work(Conversion(prepared(model, to)), list(scopes), names, steps)
    roots = [(), *(("f", index) for index in range(len(model.proto.functions)))]
    for root in roots:
        work.convert(root, to)
    return work.result


class _Work:
    """A conversion under way: `scopes` are those of the result so far, by their root, with the version they came to.

    A root is the main graph or a function; a scope inside it has the version of its root.
    """

    def __init__(
        self, result: Conversion, scopes: list[Scope], names: Names, steps: dict[tuple[int, int], _Steps]
    ) -> None:
        self.result, self.names, self.steps = result, names, steps
        versions = {scope.id: scope.opsets for scope in scopes_of(result.model)}
        self._take(replace(scope, opsets=versions[scope.id], facts={}) for scope in scopes)

    def _take(self, scopes: Iterable[Scope]) -> None:
        self.scopes: dict[ScopeId, list[Scope]] = {}
        for scope in scopes:
            root = scope.id[:2] if scope.id[:1] == ("f",) else ()
            self.scopes.setdefault(root, []).append(scope)

    def convert(self, root: ScopeId, to: int) -> None:
        """Bring one root (the main graph or a function) and the graphs inside it to a version."""
        start = self.scopes[root][0]
        version = start.opset
        if "" not in start.opsets:
            return
        while version != to and not self.result.blockers:
            following = version + 1 if to > version else version - 1
            if following < version:
                self._expand(root, following)
            edits = self._edits(root, following, self.steps.get((version, following), {}))
            version = following
            if self.result.blockers:
                return
            if edits or version == 6:
                self._apply(root, version, edits)
            else:
                self._relabel(root, version)
        if not self.result.blockers:
            edit_proto(self.result.model.proto, [Edit(root, opsets={"": to})])

    def _apply(self, root: ScopeId, version: int, edits: list[Edit]) -> None:
        """Make the edits of one step.  The model is the conversion's own, and a function has no inferred types."""
        edits = [*edits, Edit(root, opsets={"": version})]
        if root:
            edit_proto(self.result.model.proto, edits)
            self.scopes[root] = function_scopes(self.result.model, int(root[1]))
        else:
            main, self.result.model = self.scopes[root][0], apply_edits(self.result.model, edits)
            anew = version == 6  # many operators tell their types only since opset 6
            self._take(typed_scopes(self.result.model)[0] if anew else retyped(main, edits, self.result.model))

    def _relabel(self, root: ScopeId, version: int) -> None:
        for scope in self.scopes[root]:
            scope.opsets = {**scope.opsets, "": version}

    def _expand(self, root: ScopeId, version: int) -> None:
        """Replace operators that a lower version lacks, and no step rule knows, by their own bodies."""
        known = self.steps.get((version + 1, version), {})
        while True:
            edits: list[Edit] = []
            for scope in self.scopes[root]:
                lacking = [op for op in _operators(scope) if op not in known and schema_at(op, version) is None]
                for index in _nodes_of(scope, lacking):
                    edit = expansion(scope, index, version, self.names)
                    if edit is not None:
                        edits.append(edit)
                        operator = scope.nodes[index].op_type
                        message = f"opset {version} has no {operator}: the operator's own definition replaces it"
                        self.result.journal.append(_entry(scope, index, edit, message))
            if not edits:
                return
            self._apply(root, version + 1, edits)

    def _edits(self, root: ScopeId, version: int, steps: _Steps) -> list[Edit]:
        edits: list[Edit] = []
        for scope in self.scopes[root]:
            taken: set[int] = set()
            touched = [op for op in _operators(scope) if changes(op, scope.opset, version)]
            for index in _nodes_of(scope, touched):
                if index not in taken:
                    edit = self._edit(scope, index, version, steps, taken)
                    edits += [edit] if edit else []
                    taken |= set(edit.remove) if edit else set()
        return edits

    def _edit(self, scope: Scope, index: int, version: int, steps: _Steps, taken: set[int]) -> Edit | None:
        """What one node needs; None for nothing.  A node that cannot be helped becomes a blocker."""
        node = scope.nodes[index]
        verdict = judge(scope, node, version)
        if isinstance(verdict, onnx.NodeProto):
            if verdict is node:
                return None
            edit = Edit(scope.id, remove=(index,), insert=(verdict,))
            self.result.journal.append(_entry(scope, index, edit, f"attributes as opset {version} wants them"))
            return edit
        stored = stored_constant(scope, index)
        if stored is not None:
            message = f"a Constant of opset {version} does not hold this type: it becomes an initializer"
            self.result.journal.append(_entry(scope, index, stored, message))
            return stored
        refusals = []
        for rule, rewrite in steps.get(node.op_type, ()):
            found = match(scope, rewrite, index)
            if isinstance(found, Match) and not taken & set(found.nodes.values()):
                edit = replacement(scope, rewrite, found, self.names)
                self.result.journal.append(_entry(scope, index, edit, rule.summary, rule))
                return edit
            refusals += [] if isinstance(found, Match) or not found.reason else [f"{rule.code}: {found.reason}"]
        reason = f"opset {scope.opset} to {version}: {verdict}"
        reasons = [" ".join(text.split()) for text in (reason, *dict.fromkeys(refusals))]
        self.result.blockers.append(Blocker(scope, index, "; ".join(reasons)))
        return None


@once
def _operators(scope: Scope) -> Mapping[str, Sequence[int]]:
    """The operators of the default domain in a scope, and where they are."""
    found: dict[str, list[int]] = {}
    for index, node in enumerate(scope.nodes):
        if node.domain in STANDARD:
            found.setdefault(node.op_type, []).append(index)
    return found


def _nodes_of(scope: Scope, operators: Iterable[str]) -> list[int]:
    return sorted(index for operator in operators for index in _operators(scope)[operator])


def _entry(scope: Scope, index: int, edit: Edit, message: str, rule: Rule | None = None) -> AppliedFix:
    node = scope.nodes[index]
    return AppliedFix(
        code=rule.code if rule else CODE,
        rule=rule.name if rule else NAME,
        applicability=rule.applicability if rule else "safe",
        message=message,
        round=0,
        scope=scope.label,
        node=node.name or next(iter(node.output), ""),
        before=tuple(node_text(scope.nodes[number]) for number in edit.remove),
        after=tuple(node_text(new) for new in edit.insert),
    )
