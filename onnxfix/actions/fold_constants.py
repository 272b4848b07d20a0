"""Everything that can be computed before running becomes an initializer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from onnxfix import sandbox
from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.model import Array
from onnxfix.model.patience import patience
from onnxfix.model.scope import Scope, subgraphs
from onnxfix.model.shape_values import Known, shape_values
from onnxfix.model.types import STANDARD

KEPT = frozenset(
    {
        *("Constant", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"),
        *("Dropout", "SequenceConstruct", "SequenceEmpty", "SplitToSequence", "Optional"),
    }
)
"""Operators that are never folded: constants themselves, quantization (an engine wants to see it), randomness,
and what makes no tensor."""

_SMALL = 1 << 16
_AT_ONCE = 1 << 28


def fold_constants(context: Context, max_bytes: int = 1 << 24) -> Iterator[Proposal]:
    """One Proposal per scope that holds foldable nodes.

    A value of more than `max_bytes` bytes is not made, nor one of more than 64 KiB whose large inputs stay in use:
    the file would grow.  Values that are outputs of the graph keep their node.  Constants of 256 MiB at most are
    read and made at once; what is beyond is found again in the next round.
    """
    for scope in context.scopes:
        sizes = {name: s for name, s in shape_values(scope).items() if s.known}
        foldable = _foldable(scope, sizes, max_bytes)
        if foldable:
            yield from _proposal(scope, sizes, foldable)


def _foldable(scope: Scope, sizes: Known, max_bytes: int) -> list[int]:
    """Indexes of the nodes to fold, producers first (in the order of the nodes)."""
    constant: set[str] = set()
    found, room = [], _AT_ONCE
    for index, node in enumerate(scope.nodes):
        made = [name for name in scope.makes[index] if name]
        if not made or not scope.output_set.isdisjoint(made):
            continue
        shape_like = len(made) == 1 and made[0] in sizes
        if not shape_like:
            known = all(name in constant or scope.constant(name) is not None for name in scope.reads[index] if name)
            if not known or not _computable(node) or not _worth(scope, node, max_bytes):
                continue
            cost = sum(scope.type_of(name).nbytes or 0 for name in {*node.input, *made} - constant)
            if cost > room:
                continue
            room -= cost
        found.append(index)
        constant.update(made)
    return found


def _computable(node: onnx.NodeProto) -> bool:
    """Whether a node can be computed alone once its inputs are known."""
    if node.op_type in KEPT or node.domain not in STANDARD or any(True for _ in subgraphs(node)):
        return False
    return not any(attribute.ref_attr_name for attribute in node.attribute)


def _worth(scope: Scope, node: onnx.NodeProto, max_bytes: int) -> bool:
    """Whether every output's size is known and small enough."""
    for name in node.output:
        size = scope.type_of(name).nbytes if name else 0
        if size is None or size > max_bytes:
            return False
        if size > _SMALL and any(_stays(scope, given) for given in node.input if given):
            return False
    return True


def _stays(scope: Scope, name: str) -> bool:
    size = scope.type_of(name).nbytes
    return (size is None or size > _SMALL) and len(scope.users.get(name, ())) > 1


def _proposal(scope: Scope, sizes: Known, foldable: list[int]) -> Iterable[Proposal]:
    values: dict[str, Array] = {name: known.array() for name, known in sizes.items()}
    rest = [index for index in foldable if not all(name in values for name in scope.nodes[index].output if name)]
    values.update(_evaluated(scope, values, rest))
    done = {index for index in foldable if all(name in values for name in scope.nodes[index].output if name)}
    needed = _needed(scope, done)
    if not done:
        return
    first = scope.nodes[min(done)]
    yield Proposal(
        message=f"{len(done)} {'node computes' if len(done) == 1 else 'nodes compute'} constants: "
        + ", ".join(dict.fromkeys(scope.nodes[index].op_type for index in sorted(done))),
        scope=scope,
        node=min(done),
        value=first.output[0],
        edits=(
            Edit(
                scope=scope.id,
                remove=tuple(sorted(done)),
                initializers=tuple(onnx.numpy_helper.from_array(values[name], name) for name in needed),
            ),
        ),
    )


def _needed(scope: Scope, done: set[int]) -> list[str]:
    """The values of the folded nodes that other nodes, or graphs inside nodes, read."""
    return [
        name
        for index in sorted(done)
        for name in scope.nodes[index].output
        if any(user not in done or slot < 0 for user, slot in scope.users.get(name, ()))
    ]


def _evaluated(scope: Scope, values: dict[str, Array], indexes: list[int]) -> dict[str, Array]:
    """The outputs of the nodes, computed by ONNX Runtime in the sandbox; what it cannot compute is left out."""
    if not indexes:
        return {}
    nodes = [scope.nodes[index] for index in indexes]
    made = {name for node in nodes for name in node.output}
    given: dict[str, onnx.TensorProto] = {}
    for name in (name for node in nodes for name in node.input if name and name not in made):
        array = values[name] if name in values else scope.array(name)
        if array is None:
            return {}
        given[name] = onnx.numpy_helper.from_array(array, name)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "constants", [], [], list(given.values())),
        opset_imports=[onnx.helper.make_opsetid("", scope.opset)],
        ir_version=10,
    )
    try:
        computed: dict[str, Array] = sandbox.default().call(
            "onnxfix.actions.evaluate:evaluate", model.SerializeToString(), timeout=patience(scope.model, 60.0)
        )
    except sandbox.SandboxFailure:  # a crash or a hang: these nodes stay as they are
        return {}
    return computed
