"""Stripping the weights from a serialized model and putting them back changes nothing."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from onnxfix.model.wire import HEAVY, SELF, WireError, expand, strip
from tests.wire_fields import field

BIG = HEAVY // 4 + 1
"""One float32 element more than HEAVY bytes."""


def model_of(*tensors: TensorProto, ir_version: int = 8) -> onnx.ModelProto:
    graph = helper.make_graph([], "g", [], [], initializer=tensors)
    return helper.make_model(graph, ir_version=ir_version, opset_imports=[helper.make_opsetid("", 17)])


def round_trip(data: bytes) -> bytes:
    pieces = expand(strip(data))
    return b"".join(data[piece[0] : sum(piece)] if isinstance(piece, tuple) else piece for piece in pieces)


def stored(data: bytes) -> list[bool]:
    """For each initializer of the skeleton: whether its bytes stayed in the file."""
    return [bool(t.external_data) for t in onnx.ModelProto.FromString(strip(data)).graph.initializer]


@given(st.lists(st.integers(0, 2 * HEAVY), max_size=4), st.booleans())
@example([HEAVY - 40, HEAVY, HEAVY + 1], True)
def test_raw_data_of_any_size(sizes: list[int], named: bool) -> None:
    tensors = [
        TensorProto(name="w" * named, data_type=TensorProto.UINT8, dims=[size], raw_data=bytes([size % 251]) * size)
        for size in sizes
    ]
    data = model_of(*tensors).SerializeToString()
    assert onnx.ModelProto.FromString(round_trip(data)) == onnx.ModelProto.FromString(data)
    assert [big for big, size in zip(stored(data), sizes, strict=True) if size > HEAVY] == [True] * sum(
        size > HEAVY for size in sizes
    )
    assert len(strip(data)) <= len(data) + 200 * len(sizes)


@pytest.mark.parametrize(
    ("dtype", "field"),
    [
        (TensorProto.FLOAT, "float_data"),
        (TensorProto.COMPLEX64, "float_data"),
        (TensorProto.DOUBLE, "double_data"),
        (TensorProto.COMPLEX128, "double_data"),
    ],
)
def test_packed_floats_stay_in_the_file_and_become_raw_data(dtype: int, field: str) -> None:
    tensor = TensorProto(name="w", data_type=dtype, dims=[BIG])
    parts = 2 if dtype in (TensorProto.COMPLEX64, TensorProto.COMPLEX128) else 1
    getattr(tensor, field).extend(np.linspace(-1, 1, parts * BIG))
    data = model_of(tensor).SerializeToString()
    assert stored(data) == [True]
    (back,) = onnx.ModelProto.FromString(round_trip(data)).graph.initializer
    assert back.HasField("raw_data")
    np.testing.assert_array_equal(numpy_helper.to_array(back), numpy_helper.to_array(tensor))


def kept_tensors() -> dict[str, TensorProto]:
    both = TensorProto(name="both", data_type=TensorProto.FLOAT, dims=[BIG], raw_data=bytes(4 * BIG))
    both.float_data.extend([1.0])
    lying = TensorProto(name="lying", data_type=TensorProto.INT64, dims=[BIG])
    lying.float_data.extend([1.0] * BIG)
    outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[1], doc_string="d" * 2 * HEAVY)
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="w.bin")
    return {
        "small": helper.make_tensor("small", TensorProto.FLOAT, [2], [1.0, 2.0]),
        "int64_data": helper.make_tensor("i", TensorProto.INT64, [BIG], range(BIG)),
        "int32_data": helper.make_tensor("h", TensorProto.FLOAT16, [BIG], np.ones(BIG, np.float16)),
        "string_data": helper.make_tensor("s", TensorProto.STRING, [BIG], [b"word"] * BIG),
        "two kinds of data": both,
        "floats that claim to be int64": lying,
        "external": outside,
        "long text": TensorProto(name="n" * 2 * HEAVY, data_type=TensorProto.FLOAT, dims=[1], raw_data=bytes(4)),
    }


@pytest.mark.parametrize("kind", kept_tensors())
def test_everything_else_stays_in_the_skeleton(kind: str) -> None:
    data = model_of(kept_tensors()[kind], ir_version=3).SerializeToString()
    assert strip(data) == data
    assert round_trip(data) == data


def test_unknown_fields_survive_everywhere() -> None:
    unknown = b"\xfa\x3e\x03abc"  # field 1007, three bytes
    tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[BIG], raw_data=bytes(4 * BIG)).SerializeToString() + unknown
    graph = field(5, tensor) + unknown
    data = b"\x08\x08" + field(7, graph) + unknown
    assert stored(data) == [True]
    assert onnx.ModelProto.FromString(round_trip(data)) == onnx.ModelProto.FromString(data)
    assert round_trip(data).count(unknown) == 3


def test_a_field_of_the_wrong_wire_type_is_left_alone() -> None:
    data = b"\x08\x08\x38\x05" + field(7, b"\x28\x01" + field(2, b"g"))  # graph and initializer as numbers
    assert strip(data) == data
    assert round_trip(data) == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x08", "does not end"),
        (b"\x3a\x05abc", "ends 2 bytes past the end"),
        (b"\x0b\x0c", "starts no protobuf field"),
        (b"\x00\x00", "starts no protobuf field"),
        (b"\x3a" + b"\xff" * 11, "does not end"),
        (b"\x09\x00", "ends 7 bytes past the end"),
        (b"\x3a\x86\x20\x2a\x83\x20\x4a\xff\x7f" + bytes(HEAVY), "ends 12287 bytes past the end"),
    ],
)
def test_what_is_no_message_is_told(data: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        strip(data)


def test_a_file_cannot_claim_that_its_weights_lie_inside_it() -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=SELF)
    with pytest.raises(WireError, match="keeps for itself"):
        strip(model_of(tensor).SerializeToString())
