"""What every test of a decomposition asserts: the rule applies, the numbers stay, and a second run changes nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference

from onnxfix import engine
from onnxfix.actions.refusals import EVERYTHING
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, repair_model
from onnxfix.model import load, save
from onnxfix.model.model import Array
from onnxfix.rewrite.rule import Rule
from onnxfix.targets import resolve
from onnxfix.verify.numeric import verify_numeric

RTX = resolve("rtx")


@cache
def _rules() -> tuple[Rule, ...]:
    return tuple(load_rules())


def model_of(text: str | onnx.ModelProto, opset: int = 18) -> onnx.ModelProto:
    """A model, from ONNX text; without a line of versions it has this opset."""
    if isinstance(text, onnx.ModelProto):
        return text
    head = "" if text.startswith("<") else f'<ir_version: 8, opset_import: ["" : {opset}]>\n'
    return onnx.parser.parse_model(head + text)


def outcome_of(model: str | onnx.ModelProto, code: str) -> Outcome:
    """What one rule does to a model when every node is refused."""
    options = Options(target=RTX, select=(code,), unsafe_fixes=True)
    return repair_model(load(model_of(model)), _rules(), options, EVERYTHING)


def prove(model: str | onnx.ModelProto, code: str, *feeds: Mapping[str, Array]) -> onnx.ModelProto:
    """Rewrite by one rule and return the result, which computes the same on each of `feeds` (or on seeded inputs)."""
    outcome = outcome_of(model, code)
    assert [entry.code for entry in outcome.journal], [finding.proposal.message for finding in outcome.remaining]
    assert not outcome.complaint
    with tempfile.TemporaryDirectory() as folder:
        before, after, data = (Path(folder, name) for name in ("before.onnx", "after.onnx", "inputs.npz"))
        onnx.save(model_of(model), before)
        save(outcome.model, after)
        result = onnx.load(after)
        assert not outcome_of(result, code).journal
        for feed in feeds:
            arrays: dict[str, Any] = dict(feed)
            np.savez(data, **arrays)
            check = verify_numeric(load(before), after, inputs=data)
            assert check.outcome == "passed", check.reason
        if not feeds:
            check = verify_numeric(load(before), after)
            assert check.outcome == "passed", check.reason
    return result


def reason(model: str | onnx.ModelProto, code: str) -> str:
    """Why a rule leaves a model alone, "" when it says nothing."""
    outcome = outcome_of(model, code)
    assert not outcome.journal
    messages = [finding.proposal.message for finding in outcome.remaining if finding.rule.code == code]
    return "; ".join(messages)


def unsafe(model: str | onnx.ModelProto, code: str) -> bool:
    """Whether a rule would change the model only with the user's word."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        onnx.save(model_of(model), path)
        outcome = repair_model(load(path), _rules(), Options(target=RTX, select=(code,)), EVERYTHING)
    return not outcome.journal and any(finding.rule.code == code for finding, _ in outcome.withheld)


def builds(model: str | onnx.ModelProto) -> bool:
    """Whether the real TensorRT-RTX takes the model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        onnx.save(model_of(model), path)
        return engine.build(path, "tensorrt_rtx", "8.9").built


def evaluated(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> list[Array]:
    """The outputs of a model in the reference evaluator, for what no runtime can run before."""
    return list(onnx.reference.ReferenceEvaluator(model).run(None, dict(feeds)))
