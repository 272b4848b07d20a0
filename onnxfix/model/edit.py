"""Changes as data: what to remove, what to put in, and how a model is made that has them all.

Rules and actions never touch a model; they propose Edits.  `apply_edits` makes a new model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import onnx

from onnxfix.model.messages import copied
from onnxfix.model.model import Model
from onnxfix.model.order import misplaced, sorted_nodes
from onnxfix.model.scope import Scope, ScopeId, free_values, subgraphs
from onnxfix.records import Applicability, AppliedFix, Level

Body = onnx.GraphProto | onnx.FunctionProto


@dataclass(frozen=True)
class Edit:
    """One change of one scope; node indexes are those of the Scope it was proposed for.

    `insert` goes where the last removed node was (at the front when none is).  `inputs` and `outputs` replace the
    input or output of their name, or are added.  `rename` sends every reader of a value to another one.  `opsets`
    and `ir_version` belong to the model, or to the function when the scope is one.  `model` replaces the whole
    skeleton; such an Edit has nothing else and stands alone.
    """

    scope: ScopeId
    remove: tuple[int, ...] = ()
    insert: tuple[onnx.NodeProto, ...] = ()
    initializers: tuple[onnx.TensorProto, ...] = ()
    drop_initializers: tuple[str, ...] = ()
    drop_inputs: tuple[str, ...] = ()
    inputs: tuple[onnx.ValueInfoProto, ...] = ()
    outputs: tuple[onnx.ValueInfoProto, ...] = ()
    drop_outputs: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    opsets: Mapping[str, int] = field(default_factory=dict)
    ir_version: int = 0
    model: onnx.ModelProto | None = None

    @cached_property
    def touched(self) -> frozenset[tuple[ScopeId, int | str]]:
        """What no other proposal of the same round may change: nodes by index, initializers and values by name."""
        keys: tuple[int | str, ...] = (
            *self.remove,
            *self.drop_initializers,
            *self.drop_inputs,
            *self.drop_outputs,
            *self.rename,
            *(value.name for value in (*self.inputs, *self.outputs)),
            *(tensor.name for tensor in self.initializers),
        )
        return frozenset((self.scope, key) for key in keys)


@dataclass(frozen=True)
class Proposal:
    """A finding and what would cure it; `edits` empty means that nothing is known to cure it.

    All edits are applied or none.  An `exclusive` proposal (one that touches the whole model) is applied alone in
    its round.  One that changes the types of graph inputs or outputs (`interface`) needs the user's word.
    `applicability` and `level`, when given, replace those of the rule.  `journal` holds entries of its
    own for what the edits do (round 0); they follow the entry that the proposal itself gets.  `rest` is what a cut
    takes off, a model of its own.
    """

    message: str
    scope: Scope
    node: int | None = None
    value: str = ""
    edits: tuple[Edit, ...] = ()
    exclusive: bool = False
    interface: bool = False
    applicability: Applicability | None = None
    level: Level | None = None
    journal: tuple[AppliedFix, ...] = ()
    rest: onnx.ModelProto | None = None

    @property
    def subject(self) -> onnx.NodeProto | None:
        """The node the finding is about."""
        return None if self.node is None else self.scope.nodes[self.node]


def apply_edits(model: Model, edits: Iterable[Edit]) -> Model:
    """A new model with all edits made; the given one is not changed.  The edits must not overlap."""
    edits = list(edits)
    whole = next((edit.model for edit in edits if edit.model is not None), None)
    if whole is not None:
        return model.with_proto(whole).lightened()
    proto = copied(model.proto)
    edit_proto(proto, edits)
    made = model.with_proto(proto)
    return made.lightened() if any(edit.initializers for edit in edits) else made


def edit_proto(proto: onnx.ModelProto, edits: Iterable[Edit]) -> None:
    """Make edits, none of which replaces the whole, in a model that nobody else holds."""
    by_scope: dict[ScopeId, list[Edit]] = {}
    for edit in edits:
        by_scope.setdefault(edit.scope, []).append(edit)
    bodies = {identity: _body(proto, identity) for identity in by_scope}
    for identity in sorted(by_scope, key=len, reverse=True):  # inner graphs first, while outer indexes still hold
        _apply_to_body(proto, bodies[identity], by_scope[identity])


def _body(proto: onnx.ModelProto, identity: ScopeId) -> Body:
    body: Body = proto.graph
    rest = list(identity)
    if rest[:1] == ["f"]:
        body, rest = proto.functions[int(rest[1])], rest[2:]
    while rest:
        index, name, number, *rest = rest
        node = body.node[int(index)]
        body = next(g for attribute, count, g in subgraphs(node) if (attribute, count) == (name, number))
    return body


def _apply_to_body(model: onnx.ModelProto, body: Body, edits: Sequence[Edit]) -> None:
    nodes = _edited_nodes(list(body.node), edits)
    added = [tensor for edit in edits for tensor in edit.initializers]
    if isinstance(body, onnx.FunctionProto):
        nodes = [constant_node(tensor) for tensor in added] + nodes
    else:
        _edit_interface(body, edits)
        body.initializer.extend(added)
        if max([model.ir_version, *(edit.ir_version for edit in edits)]) < 4:
            body.input.extend(_as_input(tensor) for tensor in added)
    rename = _closed({old: new for edit in edits for old, new in edit.rename.items()})
    if rename:
        for node in nodes:
            rename_uses(node, rename)
    if any(edit.insert or edit.remove or edit.rename for edit in edits) and misplaced(nodes):
        order, stuck = sorted_nodes(nodes)
        nodes = [nodes[index] for index in (*order, *sorted(stuck))]
    del body.node[:]
    body.node.extend(nodes)
    _drop_stale_types(body)
    for edit in edits:
        _edit_versions(model, body, edit)


def _edited_nodes(nodes: list[onnx.NodeProto], edits: Sequence[Edit]) -> list[onnx.NodeProto]:
    removed = {index for edit in edits for index in edit.remove}
    inserted: dict[int, list[onnx.NodeProto]] = {}
    for edit in edits:
        if edit.insert:
            inserted.setdefault(max(edit.remove, default=-1), []).extend(edit.insert)
    result = [copied(node) for node in inserted.get(-1, ())]
    for index, node in enumerate(nodes):
        if index not in removed:
            result.append(node)
        result += [copied(new) for new in inserted.get(index, ())]
    return result


def _edit_interface(graph: onnx.GraphProto, edits: Sequence[Edit]) -> None:
    _drop(graph.initializer, {name for edit in edits for name in edit.drop_initializers})
    _drop(graph.input, {name for edit in edits for name in edit.drop_inputs})
    _drop(graph.output, {name for edit in edits for name in edit.drop_outputs})
    _put(graph.input, [value for edit in edits for value in edit.inputs])
    _put(graph.output, [value for edit in edits for value in edit.outputs])


def _drop(values: Any, gone: set[str]) -> None:
    if gone:
        kept = [value for value in values if value.name not in gone]
        del values[:]
        values.extend(kept)


def _put(values: Any, new: Sequence[onnx.ValueInfoProto]) -> None:
    """Replace the value of the same name, or add it."""
    places = {value.name: index for index, value in enumerate(values)} if new else {}
    for value in new:
        if value.name in places:
            values[places[value.name]].CopyFrom(value)
        else:
            values.append(value)


def rename_uses(node: onnx.NodeProto, rename: Mapping[str, str]) -> None:
    """Make a node, and the subgraphs in it, read other values; a subgraph's own value of the name is left alone."""
    for position, name in enumerate(node.input):
        if name in rename:
            node.input[position] = rename[name]
    for _, _, graph in subgraphs(node):
        visible = {name: rename[name] for name in free_values(graph) if name in rename}
        if not visible:
            continue
        for inner in graph.node:
            rename_uses(inner, visible)
        for output in graph.output:
            output.name = visible.get(output.name, output.name)


def _closed(rename: dict[str, str]) -> dict[str, str]:
    """y -> x and x -> w make y -> w."""
    for old in rename:
        new = rename[old]
        while new in rename and rename[new] != old:
            new = rename[new]
        rename[old] = new
    return rename


def _drop_stale_types(body: Body) -> None:
    """Forget declared types of values that no node makes any more; shape inference will write the new ones."""
    made = {name for node in body.node for name in node.output}
    kept = [value for value in body.value_info if value.name in made]
    if len(kept) < len(body.value_info):
        del body.value_info[:]
        body.value_info.extend(kept)


def _edit_versions(model: onnx.ModelProto, body: Body, edit: Edit) -> None:
    imports = body.opset_import if isinstance(body, onnx.FunctionProto) else model.opset_import
    for domain, version in edit.opsets.items():
        found = next((entry for entry in imports if entry.domain == domain), None)
        (found or imports.add(domain=domain)).version = version
    if edit.ir_version:
        model.ir_version = edit.ir_version


def _as_input(tensor: onnx.TensorProto) -> onnx.ValueInfoProto:
    """Before IR version 4 every initializer had to be listed as an input."""
    return onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)


def constant_node(tensor: onnx.TensorProto) -> onnx.NodeProto:
    """A Constant of the name and the values of a tensor."""
    return onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
