"""What no output needs: nodes and stored tensors; inputs that are stored tensors, and inputs that nobody reads."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, dead_nodes, made_twice, name_of, some
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.scope import Scope

_OVERRIDABLE = 4  # from this IR version on, a stored tensor that is also an input is only its default


def prune_nodes(context: Context) -> Iterable[Proposal]:
    """One proposal per scope that removes all nodes from which no output is reached."""
    for scope in context.scopes:
        dead = [] if made_twice(scope) else dead_nodes(scope)
        if dead:
            names = [name_of(scope.nodes[index]) for index in dead]
            message = f"no output needs {count(dead, 'node')}: {some(names)}"
            yield Proposal(message, scope, dead[0], edits=(Edit(scope.id, remove=tuple(dead)),))


def prune_initializers(context: Context) -> Iterable[Proposal]:
    """One proposal per scope that removes all stored tensors that nobody reads.

    A tensor that is also an input is left to `close_initializers` when the caller may override it (IR 4 and later).
    """
    ir_version = context.model.proto.ir_version
    for scope in context.scopes:
        kept = {*scope.users, *scope.output_set, *_annotated(scope)}
        if ir_version >= _OVERRIDABLE:
            kept.update(scope.inputs)
        unused = [name for name in scope.initializers if name not in kept]
        if unused:
            listed = tuple(name for name in unused if name in scope.inputs)
            edit = Edit(scope.id, drop_initializers=tuple(unused), drop_inputs=listed)
            message = f"no node reads {count(unused, 'stored tensor')}: {some(unused)}"
            yield Proposal(message, scope, value=unused[0], edits=(edit,))


def close_initializers(context: Context) -> Iterable[Proposal]:
    """Take stored tensors off the list of the main graph's inputs."""
    scope = context.main
    listed = tuple(name for name in scope.inputs if name in scope.initializers)
    if not listed:
        return
    ir_version = context.model.proto.ir_version
    edit = Edit(scope.id, drop_inputs=listed, ir_version=max(ir_version, _OVERRIDABLE))
    message = f"{count(listed, 'stored tensor')} listed as graph inputs too: {some(listed)}"
    if ir_version < _OVERRIDABLE:
        message += f"; files of IR version {ir_version} must list them, so the version becomes {_OVERRIDABLE}"
    yield Proposal(message, scope, value=listed[0], edits=(edit,))


def prune_inputs(context: Context) -> Iterable[Proposal]:
    """Inputs of the main graph that nobody reads; to remove them changes what callers feed."""
    scope = context.main
    used = {*scope.users, *scope.output_set, *scope.initializers}
    unused = tuple(name for name in scope.inputs if name not in used)
    if unused:
        message = f"no node reads {count(unused, 'graph input')}: {some(unused)}"
        yield Proposal(message, scope, value=unused[0], edits=(Edit(scope.id, drop_inputs=unused),))


def _annotated(scope: Scope) -> set[str]:
    """Tensors that hold the scale or zero point of a value, by the graph's quantization annotation."""
    if isinstance(scope.proto, onnx.FunctionProto):
        return set()
    entries = (entry for note in scope.proto.quantization_annotation for entry in note.quant_parameter_tensor_names)
    return {entry.value for entry in entries}
