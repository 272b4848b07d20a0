"""Convert a model to another version of the default operator set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.opset import CODE as REQUESTED
from onnxfix.opset.prepare import NEWEST
from onnxfix.records import Level

__all__ = ["REQUESTED", "convert_opset"]


def convert_opset(
    context: Context,
    to: int | None = None,
    below: int | None = None,
    holding: Iterable[str] = (),
    beyond_target: bool = False,
) -> Iterator[Proposal]:
    """One proposal for the whole model, or one for each node that stands in the way.

    Without `to` the version is the one that the user asks for; with `to`, the action does nothing when the user
    asks for another one.  `below` limits it to models of an older version, `holding` to those with one of the
    operators.  `beyond_target` brings a model that is newer than the target promises to read down to what it
    promises; a node that stands in the way is then only noted, because no release enforces its promise.
    Raises OnnxfixError for a version that does not exist.
    """
    main = context.main
    wanted = _promised(context) if beyond_target else context.opset if to is None else to
    if wanted is None or ((to is not None or beyond_target) and context.opset is not None):
        return
    functions = {scope.opset for scope in context.scopes if "" in scope.opsets}
    if not functions or functions == {wanted} or (below is not None and main.opset >= below):
        return
    held = set(holding)
    first = next((number for number, node in enumerate(main.nodes) if node.op_type in held), None)
    if held and first is None:
        return
    from onnxfix.opset.convert import plan_conversion

    message = f"opset {main.opset} is to become {wanted}"
    conversion = plan_conversion(context.model, context.scopes, context.names, context.steps, wanted)
    level: Level | None = "note" if beyond_target else None
    for blocker in conversion.blockers:
        yield Proposal(f"{message}; {blocker.reason}", blocker.scope, blocker.node, level=level)
    if not conversion.blockers:
        edit = Edit((), model=conversion.model.proto)
        yield Proposal(message, main, first, edits=(edit,), exclusive=True, journal=tuple(conversion.journal))


def _promised(context: Context) -> int | None:
    """The newest opset that the target promises to read, when the model is beyond it."""
    newest = context.target.opset_max if context.target else None
    known = all(scope.opset <= NEWEST for scope in context.scopes)
    return newest if newest is not None and known and context.main.opset > newest else None
