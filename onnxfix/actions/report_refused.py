"""Refused nodes that no rule can help: told with the target's own words."""

from __future__ import annotations

from collections.abc import Iterator

from onnxfix.actions.context import Context
from onnxfix.model.edit import Proposal
from onnxfix.targets import explain_message


def report_refused(context: Context) -> Iterator[Proposal]:
    """A Proposal without an edit for each refused node, with what the user could do about one of the main graph."""
    for scope, index in context.every_node():
        said = context.refusals.of(scope, index) or ""
        causes = explain_message(said, context.target)
        cause = f" ({causes[0].cause})" if causes else ""
        node = scope.nodes[index]
        name = node.name or next(filter(None, node.output), "")
        behind = any(value in scope.producer for value in node.input)  # else nothing would be left of the graph
        advice = "" if scope.id or not name or not behind else f"--cut {name} ends the graph before it; "
        yield Proposal(f"{node.op_type} is refused, no rule rewrites it; {advice}{said}{cause}", scope, index)


def report_refused_model(context: Context) -> Iterator[Proposal]:
    """A Proposal without an edit for a model that the target refuses without a word about any node."""
    if context.refusals.model and not any(True for _ in context.every_node()):
        yield Proposal(f"the target refuses the model and names no node: {context.refusals.model}", context.main)
