"""What every conversion by rewriting must keep: validity, the version, and the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import onnx

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.conversion import blockers_of, convert
from onnxfix.model import load
from onnxfix.model.model import Array
from onnxfix.rewrite.rule import Rule
from onnxfix.verify.compare import compare
from onnxfix.verify.runtime import Session


@cache
def rules() -> tuple[Rule, ...]:
    return load_rules()


def model_of(opset: int, body: str) -> onnx.ModelProto:
    """A model of this opset, from the text of its graph."""
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{body}')


def brought(model: onnx.ModelProto, to: int, **feeds: Array) -> onnx.ModelProto:
    """The model at another opset, which is valid there and computes the same."""
    outcome = convert(load(model), to, rules())
    assert not blockers_of(outcome), reasons(model, to)
    result = outcome.model.proto
    onnx.checker.check_model(result, full_check=True)
    assert [entry.version for entry in result.opset_import if not entry.domain] == [to]
    same(model, result, feeds)
    return result


def same(model: onnx.ModelProto, other: onnx.ModelProto, feeds: Mapping[str, Array]) -> None:
    """Both compute the same in ONNX Runtime."""
    inputs: dict[str, Any] = dict(feeds)
    wanted, found = (Session(m.SerializeToString()).run(inputs) for m in (model, other))
    assert wanted.keys() == found.keys()
    for name, value in wanted.items():
        assert not compare(name, value, found[name]).why, (name, compare(name, value, found[name]).why)


def reasons(model: onnx.ModelProto, to: int) -> str:
    """Why a model does not get there."""
    return "; ".join(found.proposal.message for found in blockers_of(convert(load(model), to, rules())))
