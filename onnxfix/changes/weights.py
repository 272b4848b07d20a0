"""Stored tensors: those of matched nodes, the same or how they differ, and those that nobody reads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import onnx

from onnxfix.changes.blocks import Values, in_memory, maybe_moved, values_of
from onnxfix.changes.contents import Stored
from onnxfix.changes.figures import compared, equal, equal_in_order, rounded
from onnxfix.changes.graph import Graph, Source, stored, stored_names
from onnxfix.changes.quantized import dequantized, fitted, is_dequantize
from onnxfix.changes.records import Change
from onnxfix.changes.scopes import Comparison
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope, captured
from onnxfix.model.text import node_text
from onnxfix.model.types import dtype_name

_TRANSPOSABLE, _FEW, _LETTERS = 5, 8, 40

Seen = set[Hashable]
"""The pairs of tensors that were told of already."""


def weight_changes(comparison: Comparison, seen: Seen) -> Iterator[Change]:
    """One change for each pair of constants in corresponding places whose contents differ, and for each new name."""
    one, two = comparison.one, comparison.two
    for a, b in comparison.pairs.ordered():
        old, new = one.scope.nodes[a], two.scope.nodes[b]
        pairs = [
            (before, after, first, second)
            for before, after, first, second in zip(old.input, new.input, one.sources[a], two.sources[b], strict=False)
            if first.kind == second.kind == "constant"
        ]
        if is_dequantize(new) and is_dequantize(old) and sum(f.key != s.key for _, _, f, s in pairs) > 1:
            requantized = _requantized(comparison, old, new, a, b)
            if requantized is not None:
                seen.update(_identity(*pair) for pair in pairs)
                yield requantized
        for pair in pairs:
            if _identity(*pair) not in seen:
                seen.add(_identity(*pair))
                yield from _changes(*pair)


def unread_changes(comparison: Comparison) -> Iterator[Change]:
    """Stored tensors that no node reads and that only one model has, or has with other values."""
    one, two = comparison.one, comparison.two
    rests = _unread(one), _unread(two)
    names = set(stored_names(one.scope)), set(stored_names(two.scope))
    for name in sorted(rests[0] & rests[1]):
        first, second = one.source(name), two.source(name)
        if first.key != second.key:
            yield _difference(comparison.label, name, name, first, second)
    gone, come = sorted(rests[0] - names[1]), sorted(rests[1] - names[0])
    if gone:
        kept = {two.source(name).key for name in names[1]}
        yield from (_alone(comparison.label, one.scope, n, "removed") for n in gone if one.source(n).key not in kept)
    if come:
        kept = {one.source(name).key for name in names[0]}
        yield from (_alone(comparison.label, two.scope, n, "added") for n in come if two.source(n).key not in kept)


def _unread(graph: Graph) -> set[str]:
    read = {name for node in graph.scope.nodes for name in (*node.input, *captured(node))}
    return set(stored_names(graph.scope)) - read - graph.scope.output_set


def _alone(label: str, scope: Scope, name: str, word: str) -> Change:
    line = (f"{type_text(_tensor(scope, name))} {name}",)
    before, after = (line, ()) if word == "removed" else ((), line)
    message = f"stored tensor {word}; no node {'read' if word == 'removed' else 'reads'} it"
    return Change("weight", name, message, label, before, after, details={"relation": word})


def _identity(old: str, new: str, first: Source, second: Source) -> Hashable:
    return old, new, first.home.id if first.home else None, second.home.id if second.home else None


def _changes(old: str, new: str, first: Source, second: Source) -> Iterator[Change]:
    assert first.home is not None
    assert second.home is not None
    label = second.home.label
    if first.key != second.key:
        yield _difference(label, old, new, first, second)
    if old != new:
        yield Change("renamed", new, f"stored tensor {old} → {new}", label, (old,), (new,))
    homes = _place(first.home, old), _place(second.home, new)
    if homes[0] != homes[1]:
        yield Change("placement", new, f"stored as {' → '.join(homes)}", label, homes[:1], homes[1:])


def _place(scope: Scope, name: str) -> str:
    return "a Constant node" if name in scope.producer else "an initializer"


def _tensor(scope: Scope | None, name: str) -> Stored:
    tensor = stored(scope, name) if scope else None
    assert tensor is not None
    return tensor


def type_text(tensor: Stored) -> str:
    """Element type and shape as ONNX text writes them."""
    dtype = tensor.values.data_type if isinstance(tensor, onnx.SparseTensorProto) else tensor.data_type
    sparse = "sparse " if isinstance(tensor, onnx.SparseTensorProto) else ""
    return f"{sparse}{dtype_name(dtype)}[{','.join(map(str, tensor.dims))}]"


def _difference(label: str, old: str, new: str, first: Source, second: Source) -> Change:
    assert first.home is not None
    assert second.home is not None
    ones, twos = _tensor(first.home, old), _tensor(second.home, new)
    details: dict[str, Any] = {"before": type_text(ones), "after": type_text(twos), "relation": "changed"}
    message = _told(first.home, second.home, ones, twos, details)
    before, after = tensor_line(first.home, ones, old), tensor_line(second.home, twos, new)
    return Change("weight", new, message, label, (before,), (after,), details=details)


def tensor_line(scope: Scope, tensor: Stored, name: str) -> str:
    """Type and name, and the values when there are few."""
    line = f"{type_text(tensor)} {name}"
    if isinstance(tensor, onnx.SparseTensorProto) or not 0 < math.prod(tensor.dims) <= _FEW:
        return line
    values = scope.model.array(tensor).reshape(-1)
    return f"{line} = {{{', '.join(str(value)[:_LETTERS] for value in values)}}}"


def _told(one: Scope, two: Scope, old: Stored, new: Stored, details: dict[str, Any]) -> str:
    if isinstance(old, onnx.SparseTensorProto) or isinstance(new, onnx.SparseTensorProto):
        return "other sparse values"
    if onnx.TensorProto.STRING in (old.data_type, new.data_type):
        return "other texts"
    values = values_of(one.model, old), values_of(two.model, new)
    return _relation(*values, (dtype_name(old.data_type), dtype_name(new.data_type)), details)


def _relation(old: Values, new: Values, names: tuple[str, str], details: dict[str, Any]) -> str:
    retyped = f"{names[0]} → {names[1]}, " if names[0] != names[1] else ""
    order = _transposition(old, new)
    if order:
        details["relation"] = "transposed"
        details["order"] = order
        return f"{retyped}transposed by {order}"
    if old.shape != new.shape:
        same = old.size == new.size and equal_in_order(old, new)
        details["relation"] = "reshaped" if same else "other"
        word = "reshaped" if same else "another shape,"
        return f"{retyped}{word} {list(old.shape)} → {list(new.shape)}"
    details.update(compared(old, new))
    if retyped:
        return retyped + _retyped(old, new, details)
    if not details["changed"]:
        return "equal values, other bits"
    return _figures(old.size, details)


def _retyped(old: Values, new: Values, details: dict[str, Any]) -> str:
    details["relation"] = "retyped"
    if not details["changed"]:
        return "equal values"
    if rounded(old, new):
        return f"every value rounded, max |diff| {details['max']:.3g}"
    a, b = in_memory(old), in_memory(new)
    how = fitted(a, b) if a is not None and b is not None else ""
    if how:
        details["relation"] = "requantized"
        return f"{'quantized' if old.dtype.kind == 'f' else 'dequantized'} {how}"
    return _figures(old.size, details)


def _figures(size: int, details: dict[str, Any]) -> str:
    strange = f", {details['not_finite']:,} with NaN or infinity" if details["not_finite"] else ""
    return f"{details['changed']:,} of {size:,} values differ, max |diff| {details['max']:.3g}{strange}"


def _transposition(old: Values, new: Values) -> list[int]:
    """The order of axes that makes the old array the new one, [] when there is none but the natural one."""
    if sorted(old.shape) != sorted(new.shape) or not 2 <= old.ndim <= _TRANSPOSABLE or old.size <= max(old.shape):
        return []
    if not maybe_moved(old, new):
        return []
    a, b = in_memory(old), in_memory(new)
    if a is None or b is None:
        return []
    for order in itertools.permutations(range(a.ndim)):
        turned = a.transpose(order)
        if order != tuple(range(a.ndim)) and turned.shape == b.shape and equal(turned, b):
            return list(order)
    return []


def _requantized(comparison: Comparison, old: onnx.NodeProto, new: onnx.NodeProto, a: int, b: int) -> Change | None:
    """A DequantizeLinear whose values, scale or zero point changed together: what comes out of it, compared."""
    first, second = stored_inputs(comparison.one, old, a), stored_inputs(comparison.two, new, b)
    before, after = first and dequantized(old, first), second and dequantized(new, second)
    if not before or not after or before[0].shape != after[0].shape:
        return None
    details = {**compared(before[0], after[0]), "relation": "requantized", "step": after[1]}
    message = f"requantized: what it stands for moved by at most {details['max']:.3g}, steps of {after[1]:.3g}"
    texts = node_text(old), node_text(new)
    return Change("weight", new.input[0], message, comparison.label, texts[:1], texts[1:], details=details)


def stored_inputs(graph: Graph, node: onnx.NodeProto, index: int) -> list[Array]:
    """The values of a node's inputs when all of them are stored numbers, else []."""
    found = []
    for name, source in zip(node.input, graph.sources[index], strict=False):
        tensor = stored(source.home, name) if source.home else None
        if not isinstance(tensor, onnx.TensorProto) or tensor.data_type == onnx.TensorProto.STRING:
            return []
        assert source.home is not None
        found.append(np.asarray(source.home.model.array(tensor)))
    return found if len(found) > 1 else []
