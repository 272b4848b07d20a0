"""Convert a model to another version of the default operator set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.opset import plan_conversion
from onnxfix.opset.convert import CODE as REQUESTED

__all__ = ["REQUESTED", "convert_opset"]


def convert_opset(
    context: Context, to: int | None = None, below: int | None = None, holding: Iterable[str] = ()
) -> Iterator[Proposal]:
    """One proposal for the whole model, or one for each node that stands in the way.

    Without `to` the version is the one that the user asks for; with `to`, the action does nothing when the user
    asks for another one.  `below` limits it to models of an older version, `holding` to those with one of the
    operators.  Raises OnnxfixError for a version that does not exist.
    """
    main, wanted = context.main, context.opset if to is None else to
    if wanted is None or (to is not None and context.opset is not None):
        return
    functions = {scope.opset for scope in context.scopes if "" in scope.opsets}
    if functions == {wanted} or (below is not None and main.opset >= below):
        return
    held = set(holding)
    first = next((number for number, node in enumerate(main.nodes) if node.op_type in held), None)
    if held and first is None:
        return
    message = f"opset {main.opset} is to become {wanted}"
    conversion = plan_conversion(context.model, context.scopes, context.names, context.steps, wanted)
    for blocker in conversion.blockers:
        yield Proposal(f"{message}; {blocker.reason}", blocker.scope, blocker.node)
    if not conversion.blockers:
        edit = Edit((), model=conversion.model.proto)
        yield Proposal(message, main, first, edits=(edit,), exclusive=True, journal=tuple(conversion.journal))
