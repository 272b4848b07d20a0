"""Which node does an engine compute differently first?

Values inside the model are marked as outputs, several at a time so that memory does not run out, and compared one by
one. A marked value cannot be fused away, so the engine looked at is a little slower, and can differ from the real one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from onnxfix.model import Model, save
from onnxfix.model.inference import typed_scopes
from onnxfix.model.messages import copied
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.model.types import ValueType, dtype_name, to_value_info
from onnxfix.scratch import scratch
from onnxfix.verify.difference import Difference
from onnxfix.verify.engine_run import EngineComparison, compare_engine

CHUNK_BYTES = 256 << 20
CHUNK_VALUES = 100
BUILDS = 60
"""Engines that are built at most; a value that breaks its engine costs several."""

_UNKNOWN_BYTES = 4 << 20
_SYMBOL = 64  # stands for a symbolic size that no input has
_TYPES = ("FLOAT", "FLOAT16", "BFLOAT16", "INT8", "UINT8", "INT32", "INT64", "BOOL")
_COMPARED = {onnx.TensorProto.DataType.Value(name) for name in _TYPES}
_SHAPE_MAKERS = ("Shape", "Size")


@dataclass(frozen=True, slots=True)
class LayerReport:
    """`differences` of values inside the model, in the order of the nodes; `nodes` has (node, operator) of each value.

    `skipped` are values that were not compared, with the reason.
    """

    differences: tuple[Difference, ...] = ()
    nodes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def first(self) -> Difference | None:
        """The first value, in the order of the nodes, that differs."""
        return next((item for item in self.differences if item.why), None)


def compare_layers(
    model: Model,
    inputs: Mapping[str, Array],
    *,
    tf32: bool = False,
    timeout: float = 300.0,
    progress: Callable[[str], object] = str,
) -> LayerReport:
    """Compares every value inside the main graph that an engine can give as an output. `timeout` is per engine."""
    scope = typed_scopes(model)[0][0]
    wanted, skipped = _values(scope)
    sizes = {
        dim: size
        for name, value in scope.inputs.items()
        if value is not None and name in inputs
        for dim, size in zip(scope.type_of(name).dims or (), inputs[name].shape, strict=False)
        if isinstance(dim, str)
    }
    work = _Work(model, scope, inputs, tf32, timeout, skipped)
    for chunk in chunks(wanted, scope, sizes):
        progress(f"comparing layers ({len(work.found) + len(chunk)} of {len(wanted)})")
        work.compare(chunk)
    order = {name: place for place, name in enumerate(wanted)}
    found = sorted(work.found, key=lambda item: order[item.name])
    return LayerReport(tuple(found), {item.name: _node(scope, item.name) for item in found}, tuple(skipped))


@dataclass
class _Work:
    model: Model
    scope: Scope
    inputs: Mapping[str, Array]
    tf32: bool
    timeout: float
    skipped: list[tuple[str, str]]
    found: list[Difference] = field(default_factory=list)
    builds: int = 0

    def compare(self, names: Sequence[str]) -> None:
        """Compares the values; where their engine fails, one half after the other."""
        if self.builds >= BUILDS:
            self.skipped += [(name, f"{BUILDS} engines were built already") for name in names]
            return
        self.builds += 1
        report = self._run(names)
        self.found += report.differences
        seen = {item.name for item in report.differences}
        missing = [name for name in names if name not in seen]
        if not missing:
            return
        if len(names) == 1 or seen:
            self.skipped += [(name, _reason(report)) for name in missing]
            return
        half = len(names) // 2
        self.compare(names[:half])
        self.compare(names[half:])

    def _run(self, names: Sequence[str]) -> EngineComparison:
        with scratch() as folder:
            path = Path(folder, "marked.onnx")
            save(marked(self.model, names, self.scope), path)
            return compare_engine(path, self.inputs, outputs=names, tf32=self.tf32, timeout=self.timeout)


def marked(model: Model, names: Sequence[str], scope: Scope) -> Model:
    """The model with these values of its main graph as further outputs."""
    proto = copied(model.proto)
    present = {value.name for value in proto.graph.output}
    for name in names:
        if name not in present:
            kind = scope.type_of(name)
            # Without sizes: names that inference made up, and -1, are no part of an interface.
            dims = tuple(dim if isinstance(dim, int) else None for dim in kind.dims) if kind.dims is not None else None
            proto.graph.output.append(to_value_info(name, ValueType(kind.dtype, dims)))
    return model.with_proto(proto)


def _values(scope: Scope) -> tuple[list[str], list[tuple[str, str]]]:
    """The values to compare, in the order of the nodes, and those that cannot be compared."""
    fixed = set(scope.initializers)
    shapes: set[str] = set()
    wanted, skipped = [], []
    for node in scope.nodes:
        read = [name for name in node.input if name]
        constant = node.op_type == "Constant" or (bool(read) and all(name in fixed for name in read))
        about_shapes = node.op_type in _SHAPE_MAKERS or (
            any(name in shapes for name in read) and all(name in shapes | fixed for name in read)
        )
        for name in filter(None, node.output):
            kind = scope.type_of(name)
            if constant:
                fixed.add(name)
            elif about_shapes:
                shapes.add(name)
                skipped.append((name, "it is computed from shapes only"))
            elif kind.kind != "tensor" or not kind.dtype:
                skipped.append((name, f"it is {_article(kind)}"))
            elif kind.dtype not in _COMPARED:
                skipped.append((name, f"an engine gives no {dtype_name(kind.dtype)} outputs"))
            else:
                wanted.append(name)
    return wanted, skipped


def _article(kind: ValueType) -> str:
    return f"a {kind.kind}" if kind.kind != "tensor" else "of unknown type"


def chunks(
    names: Sequence[str], scope: Scope, sizes: Mapping[str, int], *, growing: bool = False
) -> Iterator[list[str]]:
    """Parts of at most CHUNK_BYTES and CHUNK_VALUES, but of one value at least.

    With `growing` each may have twice as many values as the one before: where each costs a run of the whole model.
    """
    chunk: list[str] = []
    total, most = 0, CHUNK_VALUES
    for name in names:
        size = _bytes(scope.type_of(name), sizes)
        if chunk and (total + size > CHUNK_BYTES or len(chunk) >= most):
            yield chunk
            chunk, total, most = [], 0, most * (2 if growing else 1)
        chunk.append(name)
        total += size
    if chunk:
        yield chunk


def _bytes(kind: ValueType, sizes: Mapping[str, int]) -> int:
    if kind.dims is None:
        return _UNKNOWN_BYTES
    dims = (dim if isinstance(dim, int) else sizes.get(dim or "", _SYMBOL) for dim in kind.dims)
    return math.prod(dims) * onnx.helper.tensor_dtype_to_np_dtype(kind.dtype).itemsize


def _reason(report: EngineComparison) -> str:
    if not report.build.built:
        error = report.build.errors[0] if report.build.errors else None
        return f"marked as an output, it keeps the engine from being built: {error.message if error else ''}"
    return report.failure or report.unproven or "the engine gives no such output"


def _node(scope: Scope, name: str) -> tuple[str, str]:
    node = scope.nodes[scope.producer[name][0]]
    return node.name, node.op_type
