"""Nodes written in other operators, by one of the bodies in onnxfix.decompose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxfix.actions.context import Context
from onnxfix.decompose import BODIES, NoRewrite, Op, Unconcerned, body_of
from onnxfix.errors import RuleError
from onnxfix.model.edit import Proposal


def decompose(
    context: Context,
    body: str,
    operators: Sequence[str],
    domain: str = "",
    within: bool = False,
    converting: bool = False,
) -> Iterator[Proposal]:
    """A Proposal for each node of the operators: with an edit, or with the reason why there is none.

    `body` names a function of onnxfix.decompose.  With `within` a node counts as refused when one in a graph inside it
    is.  With `converting` it is for an opset that the user asks for, and not for a target.
    Raises RuleError when there is none of that name.
    """
    if body not in BODIES:
        raise RuleError(f"no body is called {body!r}", hint=f"there are {', '.join(sorted(BODIES))}")
    if converting and context.opset is None:
        return
    nodes = context.nodes_around(operators) if within else context.nodes_of(operators, domain)
    for scope, index in nodes:
        op = Op(scope, index, context.names)
        try:
            body_of(body)(op)
        except Unconcerned:
            continue
        except NoRewrite as reason:
            yield Proposal(f"{op.node.op_type} is not rewritten: {reason}", scope, index)
            continue
        except STUMBLES:
            if not domain:
                raise
            message = "its inputs or attributes are not what its documentation says"
            yield Proposal(f"{op.node.op_type} is not rewritten: {message}", scope, index)
            continue
        message = f"{op.node.op_type} is written in other operators"
        if op.unsafe:
            yield Proposal(f"{message}; {op.unsafe}", scope, index, edits=(op.edit(),), applicability="unsafe")
        else:
            yield Proposal(message, scope, index, edits=(op.edit(),))


STUMBLES = (ArithmeticError, AttributeError, LookupError, MemoryError, NotImplementedError, TypeError, ValueError)
"""What a body may raise over a node of a foreign domain, whose attributes and inputs no checker has looked at."""
