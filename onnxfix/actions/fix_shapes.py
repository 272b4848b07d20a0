"""Free dimensions of graph inputs that get a size or a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.request import Sizes
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.inference import typed_scopes
from onnxfix.model.messages import copied
from onnxfix.model.scope import subgraphs
from onnxfix.model.types import Dim, from_value_info

Renamed = dict[str, int | str]


def fix_shapes(context: Context) -> Iterator[Proposal]:
    """One Proposal that gives the free dimensions of inputs the sizes that the user asks for.

    A dimension name gets its size wherever it occurs: at other inputs, at outputs, inside the graph.  Where that
    contradicts what the nodes compute, because the model declares a name that is wrong, only inputs get it.
    """
    graph = context.model.proto.graph
    wanted = {name: sizes for name, sizes in context.request.shapes.items() if name in context.main.inputs}
    renamed: Renamed = {}
    changed: list[str] = []
    for value in graph.input:
        sizes = wanted.get(value.name, ())
        dims = from_value_info(value).dims
        if sizes and (dims is None or any(_differs(dim, size) for dim, size in zip(dims, sizes, strict=True))):
            pairs = zip(dims or (), sizes, strict=False)
            renamed.update({dim: size for dim, size in pairs if isinstance(dim, str) and dim != size})
            changed.append(f"{value.name} [{', '.join(map(str, sizes))}]")
    if changed:
        proto = _shaped(context.model.proto, wanted, renamed)
        if typed_scopes(context.model.with_proto(proto))[1]:  # a name stands where the size is another one
            proto = _shaped(context.model.proto, wanted, renamed, trusted=False)
        message = f"free dimensions of inputs get sizes: {', '.join(changed)}"
        yield Proposal(
            message, context.main, value=changed[0].split(" ")[0], edits=(Edit((), model=proto),), exclusive=True
        )


def _differs(dim: Dim, size: int | str) -> bool:
    return not isinstance(dim, int) and dim != size


def _shaped(
    proto: onnx.ModelProto, wanted: dict[str, Sizes], renamed: Renamed, *, trusted: bool = True
) -> onnx.ModelProto:
    """The model with new sizes and names; declarations of other values than inputs lose a size if not `trusted`."""
    made = copied(proto)
    for value in made.graph.input:
        kind = from_value_info(value)
        if value.name in wanted:
            old = kind.dims if kind.dims is not None else (None,) * len(wanted[value.name])
            dims = [dim if isinstance(dim, int) else size for dim, size in zip(old, wanted[value.name], strict=True)]
            value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind.dtype, dims, value.doc_string))
    inputs = {value.name for value in made.graph.input}
    for declared in declared_values(made.graph):
        for dim in declared.type.tensor_type.shape.dim:
            new = renamed.get(dim.dim_param)
            if isinstance(new, int) and not trusted and declared.name not in inputs:
                dim.ClearField("dim_param")  # inference finds what it is
            elif isinstance(new, int):
                dim.dim_value = new
            elif new is not None:
                dim.dim_param = new
    return made


def declared_values(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    """Every declaration of a tensor in a graph and in the graphs inside it."""
    groups: Iterable[Iterable[onnx.ValueInfoProto]] = (graph.input, graph.output, graph.value_info)
    for values in groups:
        yield from (value for value in values if value.type.HasField("tensor_type"))
    for node in graph.node:
        for _, _, inner in subgraphs(node):
            yield from declared_values(inner)
