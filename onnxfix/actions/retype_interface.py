"""Graph inputs and outputs of a type that the target does not take as it is: another type outside, a Cast inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx

from onnxfix.actions.context import Context
from onnxfix.decompose.carriers import CARRIER
from onnxfix.errors import RuleError
from onnxfix.model.edit import Edit, Proposal, rename_uses
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope
from onnxfix.model.types import dtype_name


def retype_interface(context: Context, types: Mapping[str, str]) -> Iterator[Proposal]:
    """A Proposal for each input and output of the main graph whose type is a key of `types`; the value is the new
    type, as in ONNX text (`int64 = "int32"`).  The graph inside computes in the old type."""
    new_types = {_number(old): _number(new) for old, new in types.items()}
    scope = context.main
    graph = context.model.proto.graph
    for value in graph.input:
        new = new_types.get(value.type.tensor_type.elem_type)
        if new and value.name not in scope.initializers and value.name not in scope.output_set:
            yield _input(context, scope, value, new)
    for value in graph.output:
        new = new_types.get(value.type.tensor_type.elem_type)
        if new and value.name in scope.producer:
            yield _output(context, scope, value, new)


def _input(context: Context, scope: Scope, value: onnx.ValueInfoProto, new: int) -> Proposal:
    """Nodes that cast the input read it as it comes; all others read it cast back to the old type."""
    old = value.type.tensor_type.elem_type
    retyped = Edit(scope.id, inputs=(_retyped(value, new),))
    readers = [index for index in _readers(scope, value.name) if scope.nodes[index].op_type != "Cast"]
    if not readers:
        return _proposal(scope, "input", value, new, (retyped,))
    inner = context.names.fresh(f"{value.name}_{dtype_name(old)}")
    cast = Edit(scope.id, insert=(onnx.helper.make_node("Cast", [value.name], [inner], to=old),))
    return _proposal(scope, "input", value, new, (retyped, cast, *_redirected(scope, readers, value.name, inner)))


def _output(context: Context, scope: Scope, value: onnx.ValueInfoProto, new: int) -> Proposal:
    """A Cast that makes the output casts to the new type; after any other node comes a Cast.

    A Cast to a small type wraps around or rounds, so it stays and the new one comes behind it.
    """
    index, position = scope.producer[value.name]
    producer = copied(scope.nodes[index])
    retyped = (_retyped(value, new),)
    readers = _readers(scope, value.name)
    if producer.op_type == "Cast" and not readers and value.type.tensor_type.elem_type not in CARRIER:
        del producer.attribute[:]
        producer.attribute.append(onnx.helper.make_attribute("to", new))
        return _proposal(scope, "output", value, new, (Edit(scope.id, (index,), (producer,), outputs=retyped),))
    inner = context.names.fresh(f"{value.name}_{dtype_name(value.type.tensor_type.elem_type)}")
    producer.output[position] = inner
    cast = onnx.helper.make_node("Cast", [inner], [value.name], to=new)
    made = Edit(scope.id, remove=(index,), insert=(producer, cast), outputs=retyped)
    return _proposal(scope, "output", value, new, (made, *_redirected(scope, readers, value.name, inner)))


def _readers(scope: Scope, name: str) -> list[int]:
    return list(dict.fromkeys(index for index, _ in scope.users.get(name, ())))


def _redirected(scope: Scope, readers: list[int], name: str, inner: str) -> Iterator[Edit]:
    """These nodes, and the subgraphs in them, read the inner value instead."""
    for index in readers:
        node = copied(scope.nodes[index])
        rename_uses(node, {name: inner})
        yield Edit(scope.id, remove=(index,), insert=(node,))


def _proposal(scope: Scope, what: str, value: onnx.ValueInfoProto, new: int, edits: tuple[Edit, ...]) -> Proposal:
    old = dtype_name(value.type.tensor_type.elem_type)
    message = f"{what} {value.name} is {old}; as {dtype_name(new)} the target takes it"
    return Proposal(message, scope, value=value.name, edits=edits, interface=True)


def _retyped(value: onnx.ValueInfoProto, new: int) -> onnx.ValueInfoProto:
    copy = copied(value)
    copy.type.tensor_type.elem_type = new
    return copy


def _number(name: str) -> int:
    if name.upper() not in set(onnx.TensorProto.DataType.keys()):
        raise RuleError(f"there is no element type {name!r}", where="retype_interface")
    return int(onnx.TensorProto.DataType.Value(name.upper()))
