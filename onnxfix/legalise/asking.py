"""Asking the target itself about a model as it stands, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxfix.actions.refusals import NOTHING, Refusals, forms
from onnxfix.legalise.locate import located
from onnxfix.legalise.probe import refused_alone
from onnxfix.model.scope import Scope
from onnxfix.records import Check
from onnxfix.targets import Target


@dataclass(frozen=True)
class Answer:
    """What the target's own parser and builder said of a model.

    `asked` is the library by name and version, "" when it is not on this machine (or gave no answer in time); then
    nothing else is known.  `said` is its word on the whole model, `chosen` a sentence on the sizes that it was asked
    with where the model leaves them open.  `refusals` are the nodes behind its errors.
    """

    asked: str = ""
    taken: bool = False
    said: str = ""
    chosen: str = ""
    refusals: Refusals = NOTHING


def answer_of(check: Check, scopes: Sequence[Scope], target: Target | None) -> Answer:
    """What an engine check (of verify.engine) tells about the nodes of the model that it was made of."""
    if check.outcome == "not_verified":
        return Answer(said=check.reason)
    flavour = check.details["flavour"]
    product = "TensorRT-RTX" if flavour["name"] == "tensorrt_rtx" else "TensorRT"
    asked = f"{product} {flavour['version']}".rstrip()
    chosen = check.details.get("chosen", "")
    if check.outcome == "passed":
        return Answer(asked, True, check.reason, chosen)
    parse, build = located(scopes, check.details.get("errors", ()))
    if not parse and not build:
        build = list(refused_alone(scopes, target))
    return Answer(asked, False, check.reason, chosen, Refusals(forms(parse, exact=False), forms(build, exact=True)))
