"""The Edits that give values another element type: nodes that read and make them, and constants or their twins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import onnx

from onnxfix.actions.dtype_narrowing import RETYPED, Component, Policy, constants_of, nodes_of, values_of
from onnxfix.model.edit import Edit, constant_node
from onnxfix.model.messages import copied
from onnxfix.model.model import Array
from onnxfix.model.names import Names
from onnxfix.model.once import once
from onnxfix.model.scope import Scope
from onnxfix.model.types import dtype_name

_UNLISTED = 4
"""The first IR version in which an initializer need not be an input of the graph."""

Uses = set[tuple[int, int]]
"""(index of a node, position among its inputs)"""


def component_edits(scope: Scope, names: Names, policy: Policy, component: Component) -> tuple[Edit, ...]:
    """Make everything of a component have the policy's target type.

    Values get new names, because the declared type of the old name no longer holds.
    """
    suffix = dtype_name(policy.target)
    renamed = {name: names.fresh(f"{name}_{suffix}") for name in values_of(component)}
    edits: list[Edit] = [*unlisted(scope)] if constants_of(component) else []
    twins: dict[tuple[int, int], str] = {}
    uses_of: dict[str, Uses] = {}
    for tie in component:
        for position, name in tie.constants:
            uses_of.setdefault(name, set()).add((tie.node, position))
    for name, uses in sorted(uses_of.items()):
        twin, edit = retyped_constant(scope, names, name, _converted(scope, policy, name), uses)
        twins |= dict.fromkeys(uses, twin)
        edits.append(edit)
    for index in nodes_of(component):
        node = changed_node(scope, index, twins, renamed)
        if any(name in renamed for name in scope.nodes[index].output):
            _retype_attribute(node, policy)
        edits.append(Edit(scope.id, remove=(index,), insert=(node,)))
    return tuple(edits)


def _converted(scope: Scope, policy: Policy, name: str) -> Array:
    """The new values of a constant, of which a large one is never whole in memory in its old type."""
    tensor = scope.constant(name)
    assert tensor is not None
    parts = [policy.converted(part) for part in scope.model.parts(tensor)]
    return np.concatenate(parts).reshape(tuple(tensor.dims))


def changed_node(
    scope: Scope, index: int, inputs: Mapping[tuple[int, int], str], renamed: Mapping[str, str]
) -> onnx.NodeProto:
    """A copy of a node with other values at some inputs, and with renamed values."""
    node = copied(scope.nodes[index])
    for position, name in enumerate(node.input):
        node.input[position] = inputs.get((index, position), renamed.get(name, name))
    for position, name in enumerate(node.output):
        node.output[position] = renamed.get(name, name)
    return node


def retyped_constant(scope: Scope, names: Names, name: str, array: Array, uses: Uses) -> tuple[str, Edit]:
    """(name, Edit) of a constant with other values that takes the place of `name` at `uses`.

    The old one goes when nothing else reads it.
    """
    users = scope.users.get(name, ())
    last = name not in scope.output_set and len(users) <= len(uses) and uses.issuperset(users)
    fresh = names.fresh(f"{name}_{dtype_name(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))}")
    tensor = onnx.numpy_helper.from_array(array, fresh)
    if name in scope.producer:
        gone = (scope.producer[name][0],) if last else ()
        return fresh, Edit(scope.id, remove=gone, insert=(constant_node(tensor),))
    gone_name = (name,) if last and name in scope.initializers else ()
    return fresh, Edit(scope.id, initializers=(tensor,), drop_initializers=gone_name)


@once
def unlisted(scope: Scope) -> tuple[Edit, ...]:
    """What has to go with a new initializer: a file of IR version 3 lists each as an input, so its version is raised.

    The stored tensors leave the list of inputs, because from version 4 on a caller could replace a listed one.
    """
    proto = scope.model.proto
    if proto.ir_version >= _UNLISTED:
        return ()
    stored = {tensor.name for tensor in proto.graph.initializer}
    listed = tuple(value.name for value in proto.graph.input if value.name in stored)
    return (Edit((), drop_inputs=listed, ir_version=_UNLISTED),)


def _retype_attribute(node: onnx.NodeProto, policy: Policy) -> None:
    for attribute in node.attribute:
        if attribute.name != RETYPED.get(node.op_type):
            continue
        if attribute.type == onnx.AttributeProto.INT:
            attribute.i = policy.target
        else:
            values = policy.converted(onnx.numpy_helper.to_array(attribute.t))
            attribute.t.CopyFrom(onnx.numpy_helper.from_array(values, attribute.t.name))


def drop_overlaps(scope: Scope, found: Iterable[Component], taken: set[int]) -> Iterator[Component]:
    """The components that change none of the nodes in `taken`, which grows by theirs."""
    for component in found:
        nodes = set(nodes_of(component)) | {scope.producer.get(name, (-1,))[0] for name in constants_of(component)}
        if not nodes & taken:
            taken |= nodes - {-1}
            yield component
