"""What an action may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope
from onnxfix.rewrite.rule import Rule
from onnxfix.targets.records import Target


@dataclass(frozen=True)
class Context:
    """One round's view of a model.

    `complaint` is what the ONNX checker says ("" when the model is valid); `steps` are the rules of opset
    conversion; `interface_changes` tells whether the user allows other types at the graph's inputs and outputs;
    `opset` is the version that the user asks for, None when none is.
    """

    model: Model
    scopes: Sequence[Scope]
    names: Names
    complaint: str = ""
    target: Target | None = None
    steps: Sequence[Rule] = ()
    interface_changes: bool = False
    opset: int | None = None

    @property
    def main(self) -> Scope:
        """The main graph."""
        return self.scopes[0]
