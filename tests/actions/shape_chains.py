"""Random shape arithmetic, as exporters write it, in the forms of several opsets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

OPSETS = (9, 11, 13, 17)
SIZES = ({"N": 2, "M": 3}, {"N": 5, "M": 1})
"""Every model is run at both."""

Dim = int | str


@dataclass(frozen=True)
class Value:
    """A value of the chain: rank 0, or 1 with `length` elements."""

    name: str
    rank: int
    length: int
    dtype: int = TensorProto.INT64


@dataclass
class Chain:
    """A model under construction."""

    opset: int
    dims: tuple[Dim, ...]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def constant(self, items: int | list[int], dtype: Any = np.int64) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.array(items, dtype=dtype), name))
        return name

    def add(self, op_type: str, inputs: list[str], rank: int, length: int, dtype: int = 0, **attributes: Any) -> Value:
        value = Value(f"v{len(self.nodes)}", rank, length, dtype or TensorProto.INT64)
        self.nodes.append(helper.make_node(op_type, inputs, [value.name], **attributes))
        self.values.append(value)
        return value

    def shape(self) -> Value:
        return self.add("Shape", ["x"], 1, len(self.dims))

    def gathered(self, axis: int) -> Value:
        """The size of one axis as a list of one."""
        return self.add("Gather", [self.shape().name, self.constant([axis])], 1, 1, axis=0)

    def model(self, outputs: list[str]) -> onnx.ModelProto:
        known = {value.name: value for value in self.values}
        made = [helper.make_tensor_value_info(name, known[name].dtype, [None] * known[name].rank) for name in outputs]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.dims)]
        graph = helper.make_graph(self.nodes, "g", inputs, made, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def input(self, sizes: dict[str, int]) -> np.ndarray[Any, Any]:
        shape = [sizes[dim] if isinstance(dim, str) else dim for dim in self.dims]
        return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def run(model: onnx.ModelProto, **inputs: Any) -> list[Any]:
    """The outputs in ONNX Runtime, without its own optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results: list[Any] = session.run(None, inputs)
    return results


DIMS = st.lists(st.sampled_from([1, 2, 3, 4, "N", "M"]), min_size=1, max_size=4).map(tuple)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    chain = Chain(draw(st.sampled_from(OPSETS)), draw(DIMS))
    chain.shape()
    for _ in range(draw(st.integers(1, 8))):
        draw(st.sampled_from(_STEPS))(draw, chain)
    return chain


def _list(draw: st.DrawFn, chain: Chain) -> Value:
    return draw(st.sampled_from([value for value in chain.values if value.rank == 1]))


def _shape(draw: st.DrawFn, chain: Chain) -> None:
    bounds = st.none() | st.integers(-5, 5)
    given = {"start": draw(bounds), "end": draw(bounds)} if chain.opset >= 15 else {}
    places = range(len(chain.dims))[given.get("start") : given.get("end")]
    chain.add("Shape", ["x"], 1, len(places), **{key: value for key, value in given.items() if value is not None})


def _size(_: st.DrawFn, chain: Chain) -> None:
    chain.add("Size", ["x"], 0, 1)


def _gather(draw: st.DrawFn, chain: Chain) -> None:
    data = _list(draw, chain)
    if not data.length:
        return
    place = st.integers(-data.length if chain.opset >= 11 else 0, data.length - 1)
    index = draw(place | st.lists(place, max_size=3))
    dtype = draw(st.sampled_from([np.int64, np.int32]))
    rank, length = (1, len(index)) if isinstance(index, list) else (0, 1)
    axis = draw(st.sampled_from([0, -1] if chain.opset >= 11 else [0]))
    chain.add("Gather", [data.name, chain.constant(index, dtype)], rank, length, data.dtype, axis=axis)


def _slice(draw: st.DrawFn, chain: Chain) -> None:
    data = _list(draw, chain)
    start = draw(st.integers(-6, 6))
    step = 1 if chain.opset < 10 else draw(st.sampled_from([1, 1, 2, -1, -2, 3]))
    end = draw(st.integers(-6, 6) | st.just(2**31 - 1 if step > 0 else -(2**31)))
    if chain.opset < 10:
        value = chain.add("Slice", [data.name], 1, -1, data.dtype, starts=[start], ends=[end], axes=[0])
    else:
        inputs = [
            data.name,
            chain.constant([start]),
            chain.constant([end]),
            chain.constant([0]),
            chain.constant([step]),
        ]
        value = chain.add("Slice", inputs[: 5 if step != 1 else draw(st.sampled_from([3, 4, 5]))], 1, -1, data.dtype)
    chain.values[-1] = Value(value.name, 1, _slice_length(data.length, start, end, step), data.dtype)


def _slice_length(length: int, start: int, end: int, step: int) -> int:
    """Counted by walking, as the specification of Slice tells it."""
    start, end = (bound + length if bound < 0 else bound for bound in (start, end))
    start = min(max(start, 0), length if step > 0 else length - 1)
    end = min(max(end, 0 if step > 0 else -1), length)
    count, place = 0, start
    while (place < end if step > 0 else place > end) and length:
        count, place = count + 1, place + step
    return count


def _concat(draw: st.DrawFn, chain: Chain) -> None:
    data = [_list(draw, chain) for _ in range(draw(st.integers(1, 3)))]
    if len({value.dtype for value in data}) == 1:
        length = sum(value.length for value in data)
        chain.add("Concat", [value.name for value in data], 1, length, data[0].dtype, axis=0)


def _unsqueeze(draw: st.DrawFn, chain: Chain) -> None:
    _reranked(draw, chain, "Unsqueeze", lambda value: value.rank == 0, 1)


def _squeeze(draw: st.DrawFn, chain: Chain) -> None:
    _reranked(draw, chain, "Squeeze", lambda value: value.rank == 1 and value.length == 1, 0)


def _reranked(draw: st.DrawFn, chain: Chain, op_type: str, fits: Callable[[Value], bool], rank: int) -> None:
    fitting = [value for value in chain.values if fits(value)]
    if not fitting:
        return
    data = draw(st.sampled_from(fitting))
    axis = draw(st.sampled_from([0, -1] if chain.opset >= 11 else [0]))
    if chain.opset < 13:
        chain.add(op_type, [data.name], rank, 1, data.dtype, axes=[axis])
    else:
        chain.add(op_type, [data.name, chain.constant([axis])], rank, 1, data.dtype)


def _reshape(draw: st.DrawFn, chain: Chain) -> None:
    data = draw(st.sampled_from(chain.values))
    if data.length:
        target = draw(st.sampled_from([[-1], [data.length], *([[]] if data.length == 1 else [])]))
        chain.add("Reshape", [data.name, chain.constant(target)], len(target), data.length, data.dtype)


def _cast(draw: st.DrawFn, chain: Chain) -> None:
    data, to = draw(st.sampled_from(chain.values)), draw(st.sampled_from([TensorProto.INT32, TensorProto.INT64]))
    chain.add("Cast", [data.name], data.rank, data.length, to, to=to)


def _arithmetic(draw: st.DrawFn, chain: Chain) -> None:
    left = draw(st.sampled_from(chain.values))
    op_type = draw(st.sampled_from(["Add", "Sub", "Mul", "Div"]))
    partners = [
        v for v in chain.values if v.dtype == left.dtype and (v.length == left.length or 1 in (v.length, left.length))
    ]
    right = draw(st.none() if op_type == "Div" else st.none() | st.sampled_from(partners))
    if right is None or 0 in (right.length, left.length):
        number = draw(st.sampled_from([-3, -1, 1, 2, 7]))
        name = chain.constant(number, helper.tensor_dtype_to_np_dtype(left.dtype))
        chain.add(op_type, [left.name, name], left.rank, left.length, left.dtype)
    else:
        length, rank = max(left.length, right.length), max(left.rank, right.rank)
        chain.add(op_type, [left.name, right.name], rank, length, left.dtype)


_STEPS = (_shape, _size, _gather, _gather, _slice, _slice, _concat, _unsqueeze, _squeeze, _reshape, _cast, _arithmetic)
