"""Opset conversion of whole models, up and down, proven node by node."""

from __future__ import annotations

from collections.abc import Iterable

from onnxfix.model.inference import typed_scopes
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.opset.convert import Blocker, Conversion, plan_conversion
from onnxfix.rewrite.rule import Rule

__all__ = ["Blocker", "Conversion", "convert_opset", "plan_conversion"]


def convert_opset(model: Model, to: int, rules: Iterable[Rule]) -> Conversion:
    """The model in version `to` of the default operator set, with a journal; or the blockers, and no conversion.

    `rules` are all rules; the steps among them are used.
    """
    scopes, _ = typed_scopes(model)
    return plan_conversion(model, scopes, Names(scopes), rules, to)
