"""Some nodes of a graph as a model of their own, with the types, stored tensors and functions that they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import onnx

from onnxfix.errors import OnnxfixError
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope, captured
from onnxfix.model.types import from_value_info, to_value_info


def part(scope: Scope, nodes: Iterable[int], inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """A model of these nodes of a graph (the main one or a subgraph), whose weights stay where they are.

    `inputs` become graph inputs; initializers and Constants that the nodes read come along, also those of enclosing
    graphs.  Names, documentation and metadata are kept.  Raises OnnxfixError when the type of an input or output
    is not known.
    """
    chosen = sorted(set(nodes))
    made = {name for index in chosen for name in scope.nodes[index].output}
    wanted = {*reads(scope, chosen), *outputs}
    proto = _shell(scope.model.proto)
    stored: list[onnx.TensorProto] = []
    constants: list[onnx.NodeProto] = []
    for name in sorted((wanted - made) | set(inputs)):
        home = home_of(scope, name)
        if home is not None and name in home.initializers:
            stored.append(home.initializers[name])
        elif home is not None and name not in inputs and home.constant(name) is not None:
            constants.append(home.nodes[home.producer[name][0]])
    graph = proto.graph
    graph.node.extend(constants)
    graph.node.extend(scope.nodes[index] for index in chosen)
    graph.initializer.extend(stored)
    listed = [tensor.name for tensor in stored if proto.ir_version < 4 and tensor.name not in inputs]
    graph.input.extend(_interface(scope, name) for name in (*inputs, *listed))  # IR 3 lists stored tensors as inputs
    graph.output.extend(_interface(scope, name) for name in outputs)
    source = scope.proto
    graph.value_info.extend(value for value in source.value_info if value.name in made and value.name not in outputs)
    if isinstance(source, onnx.GraphProto):
        graph.name, graph.doc_string = source.name, source.doc_string
        graph.metadata_props.extend(source.metadata_props)
        graph.sparse_initializer.extend(t for t in source.sparse_initializer if t.values.name in wanted)
        notes = (note for note in source.quantization_annotation if note.tensor_name in wanted | made)
        graph.quantization_annotation.extend(notes)
    return proto


def needed_inputs(scope: Scope, nodes: Iterable[int], outputs: Sequence[str] = ()) -> list[str]:
    """What these nodes read and none of them makes, in the order of reading, without stored tensors and Constants.

    An initializer that callers may replace counts, as in every model that lists it as an input.
    """
    chosen = list(nodes)
    made = {name for index in chosen for name in scope.nodes[index].output}
    read = dict.fromkeys([*reads(scope, chosen), *outputs])
    return [name for name in read if name not in made and not _stored(scope, name)]


def reads(scope: Scope, indexes: Iterable[int]) -> Iterator[str]:
    """The values that nodes read, those that the graphs inside them take from outside too."""
    for index in indexes:
        yield from (name for name in scope.nodes[index].input if name)
        yield from sorted(captured(scope.nodes[index]))


def value_info(scope: Scope, name: str) -> onnx.ValueInfoProto | None:
    """The declared or inferred type of a value as a message of its own; None when it is not known."""
    home = home_of(scope, name)
    if home is None or isinstance(home.proto, onnx.FunctionProto):
        return None
    outputs = [value for value in home.proto.output if value.name == name] if name in home.output_set else []
    for found in (home.inputs.get(name), *outputs, home.inferred.get(name)):
        if isinstance(found, onnx.ValueInfoProto) and _complete(found):
            return copied(found)
    if name in home.initializers:
        return to_value_info(name, scope.type_of(name))
    return None


def home_of(scope: Scope, name: str) -> Scope | None:
    """The scope that defines a value, from here outwards; None when none does."""
    home: Scope | None = scope
    while home is not None and not home.defines(name):
        home = home.parent
    return home


def _complete(value: onnx.ValueInfoProto) -> bool:
    kind = from_value_info(value)
    return value.type.WhichOneof("value") is not None and (kind.kind != "tensor" or bool(kind.dtype))


def _interface(scope: Scope, name: str) -> onnx.ValueInfoProto:
    found = value_info(scope, name)
    if found is None:
        raise OnnxfixError(f"the type of {name!r} is not known", hint="name a value whose type ONNX can infer")
    return found


def _stored(scope: Scope, name: str) -> bool:
    home = home_of(scope, name)
    if home is None:
        return False
    sparse = () if isinstance(home.proto, onnx.FunctionProto) else home.proto.sparse_initializer
    fixed = name in home.initializers and name not in home.inputs
    return fixed or home.constant(name) is not None or any(t.values.name == name for t in sparse)


def _shell(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model without its graph."""
    shell = onnx.ModelProto()
    for descriptor, value in proto.ListFields():
        if descriptor.name == "graph":
            continue
        if isinstance(value, (int, str)):
            setattr(shell, descriptor.name, value)
        else:
            getattr(shell, descriptor.name).MergeFrom(value)
    return shell
