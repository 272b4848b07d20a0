"""The straight lines of repair(), convert_opset() and opsets(): from a file to a typed record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxfix.api.destination import destination_of
from onnxfix.api.guilt import Guilt
from onnxfix.api.interface import asked, interface_changes_of, publish
from onnxfix.api.proof import METADATA_KEY, Drafts, Proof, Verification, refusal
from onnxfix.api.settings import Progress, Source, options_of, rules_of, summary, title_of
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.conversion import repaired
from onnxfix.fixpoint.reach import reach
from onnxfix.fixpoint.rounds import Outcome
from onnxfix.model import ExternalData, Weights, load
from onnxfix.records import OpsetReport, RepairReport, Withheld


def repair(
    model: Source,
    output: str | Path | None = None,
    *,
    target: str | None = None,
    opset: int | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    unsafe_fixes: bool = False,
    interface_changes: bool = False,
    rules: Sequence[str | Path] = (),
    verify: Verification = "engine",
    inputs: str | Path | None = None,
    freeze: Mapping[str, Any] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    dynamic_batch: bool = False,
    cut: str = "",
    in_place: bool = False,
    external_data: ExternalData = "auto",
    dry_run: bool = False,
    progress: Progress = str,
) -> RepairReport:
    """Repair a model, prove the repair, and write it only when it is proven.

    The file is written to `output` (default: NAME.fixed.onnx beside the input; with `in_place` the input itself,
    replaced atomically) when the structure is valid, the outputs equal the original's, and the target does not
    refuse it.  `verify` "numeric" leaves the engine out, "none" both; the report says what was not checked.
    `inputs` is an .npz file with recorded inputs.  `opset` converts to that version.  `progress` is called with
    the name of each stage.  A ModelProto is never changed; without `output` nothing is written for one.

    Weights in files beside the model are not read unless a rule needs their values.  `external_data` says where the
    result has them: "reference" where they are (they must lie below the folder of the result), "copy" (a clone where
    the file system shares blocks), "link" (a hard link), "embed" (inside, up to 2 GiB), or "auto": referred to in the
    same folder, else copied.  A result of over 2 GiB gets its weights in a file beside it.

    Changes to the interface that are made only on request: `freeze` makes constants of inputs ({"axes": [1]});
    `shapes` gives free dimensions a size or a name, and frees or multiplies a burnt-in batch ({"x": ("N", 3, 64)});
    `dynamic_batch` frees the batch of all inputs; `cut` ends the graph before a node or operator, and what is behind
    is written to OUT.rest.onnx.  `interface_changes` allows rules to change inputs and outputs where the target asks
    for it (other element types, recorded inputs frozen).
    Raises OnnxfixError for bad input, and NotConverged when the rules undo each other.
    """
    started = time.perf_counter()
    options = options_of(target, opset, select, ignore, unsafe_fixes, interface_changes, rules)
    every_rule = rules_of(options)
    progress("reading the model")
    original = load(model)
    destination = destination_of(original, output, in_place)
    options = replace(options, request=asked(original, freeze, shapes, dynamic_batch, cut, inputs))
    progress("repairing")
    outcome = repaired(original, every_rule, options)
    proof = Proof(original, every_rule, options, verify, Path(inputs) if inputs else None, progress)
    guilt = Guilt()
    weights = Weights(original, destination, external_data) if destination else None
    with Drafts(None if dry_run else destination, always=output is not None, weights=weights) as drafts:
        attempt = proof.legalised(outcome, drafts)
        verdict = proof.verdict(attempt, drafts.of(attempt.outcome).path)
        if investigation := proof.investigation(attempt, verdict):
            guilt = investigation.look(attempt.outcome, verdict)
            innocent = proof.without(guilt.keys, attempt.refusals)
            if guilt.one_rule and innocent[1].journal:
                proof, attempt = innocent[0], innocent[0].legalised(innocent[1], drafts)
                verdict = proof.verdict(attempt, drafts.of(attempt.outcome).path)
        outcome, file = attempt.outcome, drafts.of(attempt.outcome)
        unwritten = refusal(verdict) if outcome.journal or verdict.outcome == "failed" else ""
        written = None if unwritten else drafts.place(outcome)
        rest = publish(file, outcome.rest) if written else ""
    answered = attempt.engine is not None and attempt.engine.outcome != "not_verified"
    remaining = [finding for finding in outcome.remaining if not (answered and finding.rule.kind == "unknown")]
    return RepairReport(
        model=original.label,
        target=title_of(options.target),
        before=summary(original),
        after=summary(outcome.model),
        fixes=tuple(outcome.journal),
        remaining=tuple(finding.diagnostic() for finding in remaining),
        withheld=tuple(Withheld(finding.diagnostic(), why) for finding, why in outcome.withheld),
        verdict=verdict,
        output=str(written or ""),
        unwritten=unwritten,
        notes=tuple(_notes(proof, outcome, file.weights if written else None)),
        seconds=time.perf_counter() - started,
        interface=tuple(interface_changes_of(original, outcome, options.request)),
        rest=rest,
        culprits=guilt.culprits,
    )


def convert_opset(
    model: Source,
    opset: int,
    output: str | Path | None = None,
    *,
    verify: Verification = "numeric",
    external_data: ExternalData = "auto",
) -> RepairReport:
    """Convert to another opset, up or down, and nothing else; otherwise like repair()."""
    wanted = ("requested-opset",)
    return repair(model, output, opset=opset, select=wanted, verify=verify, external_data=external_data)


def opsets(model: Source) -> OpsetReport:
    """Which opset versions a model can reach from its own, and which nodes keep it from the others.

    Raises OnnxfixError for a file that is no model, or a model of a version that is not known.
    """
    original = load(model)
    return OpsetReport(original.label, summary(original).opset, reach(original, load_rules()))


def _notes(proof: Proof, outcome: Outcome, weights: Weights | None) -> Iterator[str]:
    if proof.options.target and proof.options.target.note:
        yield proof.options.target.note
    if proof.verify == "none" and outcome.journal:
        yield "outputs and engine were not checked (--verify none)"
    elif proof.verify == "numeric":
        yield "the engine was not checked (--verify numeric)"
    if weights and weights.note:
        yield weights.note


__all__ = ["METADATA_KEY", "convert_opset", "opsets", "repair"]
