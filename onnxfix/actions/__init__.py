"""The closed set of whole-graph transforms that a rule file may name.

An action looks at a Context and yields Proposals; it never changes anything.  A rule file is data: it can name one
of these and give it parameters, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from onnxfix.actions.context import Context
from onnxfix.actions.fold_constants import fold_constants
from onnxfix.actions.fold_reshape import fold_reshape
from onnxfix.model.edit import Proposal

Action = Callable[..., Iterable[Proposal]]

ACTIONS: Mapping[str, Action] = {
    "fold_constants": fold_constants,
    "fold_reshape": fold_reshape,
}

PARAMETERS: Mapping[str, frozenset[str]] = {
    "fold_constants": frozenset({"max_bytes"}),
    "fold_reshape": frozenset(),
}

__all__ = ["ACTIONS", "Action", "Context", "PARAMETERS"]
