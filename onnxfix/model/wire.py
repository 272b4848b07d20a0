"""The protobuf wire format of an ONNX file, read and written without touching the weights.

`strip` turns a serialized ModelProto into a small one (the skeleton) in which the bytes of every large
initializer of the main graph are replaced by their place in the file; `expand` is its inverse, as a list of
pieces to write.  Field numbers are those of onnx.proto; the wire format is the one of the protobuf encoding guide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, overload

import onnx


class Buffer(Protocol):
    """The bytes of a file: `bytes`, or a StoredFile, which reads them when they are asked for."""

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, place: int, /) -> int: ...

    @overload
    def __getitem__(self, place: slice, /) -> bytes: ...


Rewrite = Callable[[Buffer, int, int], bytes | None]

SELF = "onnxfix:self"
"""`location` of an external tensor whose bytes lie inside the model file itself."""

HEAVY = 4096
"""Initializers of more bytes than this stay on disk; smaller ones are needed by shape inference anyway."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _GRAPH_INITIALIZER = 7, 5
_FLOAT_DATA, _RAW_DATA, _DOUBLE_DATA = 4, 9, 10
_PACKED = {
    _FLOAT_DATA: (onnx.TensorProto.FLOAT, onnx.TensorProto.COMPLEX64),
    _DOUBLE_DATA: (onnx.TensorProto.DOUBLE, onnx.TensorProto.COMPLEX128),
}
_KEPT_DATA = (5, 6, 7, 11, 13, 14)
"""A tensor with int32_data, string_data, int64_data, uint64_data, external_data or data_location stays as it is."""


class WireError(ValueError):
    """The bytes are not a protobuf message, or end in the middle of one."""


def strip(buffer: Buffer) -> bytes:
    """The skeleton of a serialized ModelProto.

    Raises WireError when a field reaches past the end of `buffer`.
    """
    return b"".join(_rewritten(buffer, 0, len(buffer), _MODEL_GRAPH, _stripped_graph))


def expand(skeleton: bytes) -> list[bytes | tuple[int, int]]:
    """The pieces of the whole file: literal bytes, or (offset, length) of bytes in the file that was stripped."""
    pieces: list[bytes | tuple[int, int]] = []
    for number, start, value, end in fields(skeleton, 0, len(skeleton)):
        if number == _MODEL_GRAPH and _is_message(skeleton, start):
            inner = _expanded_graph(skeleton, value, end)
            pieces += [_tag(_MODEL_GRAPH, _BYTES), _varint(sum(map(_size, inner))), *inner]
        else:
            pieces.append(skeleton[start:end])
    return pieces


def fields(buffer: Buffer, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of one message as (number, start of the tag, start of the value, end of the value)."""
    position = start
    while position < stop:
        tag, value = _read_varint(buffer, position, stop)
        kind = tag & 7
        if kind == _BYTES:
            length, value = _read_varint(buffer, value, stop)
            end = value + length
        elif kind == _VARINT:
            _, end = _read_varint(buffer, value, stop)
        elif kind in (_FIXED64, _FIXED32):
            end = value + (8 if kind == _FIXED64 else 4)
        else:
            raise WireError(f"byte {position} starts no protobuf field")
        if not tag >> 3:
            raise WireError(f"byte {position} starts no protobuf field")
        if end > stop:
            raise WireError(f"a field at byte {position} ends {end - stop} bytes past the end")
        yield tag >> 3, position, value, end
        position = end


def _rewritten(buffer: Buffer, start: int, stop: int, wanted: int, rewrite: Rewrite) -> Iterator[bytes]:
    """The message with every length-delimited field `wanted` replaced by `rewrite(buffer, value, end)`."""
    copied = start
    for number, at, value, end in fields(buffer, start, stop):
        if number != wanted or not _is_message(buffer, at):
            continue
        inner = rewrite(buffer, value, end)
        if inner is not None:
            yield _kept(buffer, copied, at)
            yield _tag(wanted, _BYTES) + _varint(len(inner)) + inner
            copied = end
    yield _kept(buffer, copied, stop)


def _kept(buffer: Buffer, start: int, stop: int) -> bytes:
    data = buffer[start:stop]
    if SELF.encode() in data:
        raise WireError(f"it uses the name {SELF}, which onnxfix keeps for itself")
    return data


def _stripped_graph(buffer: Buffer, start: int, stop: int) -> bytes:
    return b"".join(_rewritten(buffer, start, stop, _GRAPH_INITIALIZER, _stripped_tensor))


def _stripped_tensor(buffer: Buffer, start: int, stop: int) -> bytes | None:
    """The tensor with its bytes replaced by their place, or None when it is small or stored otherwise.

    A packed float_data or double_data is, on the wire, the same little-endian bytes as raw_data.
    """
    if stop - start <= HEAVY:
        return None
    rest: list[bytes] = []
    data: list[tuple[int, int, int]] = []
    for number, at, value, end in fields(buffer, start, stop):
        if number in _KEPT_DATA:
            return None
        if number in (_FLOAT_DATA, _RAW_DATA, _DOUBLE_DATA):
            data.append((number if _is_message(buffer, at) else 0, value, end - value))
        else:
            rest.append(buffer[at:end])
    if len(data) != 1 or data[0][2] <= HEAVY // 2:
        return None
    tensor = onnx.TensorProto.FromString(b"".join(rest))
    number, offset, length = data[0]
    if number != _RAW_DATA and tensor.data_type not in _PACKED.get(number, ()):
        return None
    set_place(tensor, SELF, offset, length)
    return tensor.SerializeToString()


def set_place(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    """Write where the tensor's bytes are, in the form of ONNX external data."""
    tensor.data_location = onnx.TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


def _expanded_graph(skeleton: bytes, start: int, stop: int) -> list[bytes | tuple[int, int]]:
    pieces: list[bytes | tuple[int, int]] = []
    for number, at, value, end in fields(skeleton, start, stop):
        if number == _GRAPH_INITIALIZER and SELF.encode() in (message := skeleton[value:end]):
            inner = _expanded_tensor(onnx.TensorProto.FromString(message))
            pieces += [_tag(_GRAPH_INITIALIZER, _BYTES), _varint(sum(map(_size, inner))), *inner]
        else:
            pieces.append(skeleton[at:end])
    return pieces


def _expanded_tensor(tensor: onnx.TensorProto) -> list[bytes | tuple[int, int]]:
    place = {entry.key: entry.value for entry in tensor.external_data}
    if place.get("location") != SELF:
        return [tensor.SerializeToString()]
    del tensor.external_data[:]
    tensor.ClearField("data_location")
    offset, length = int(place["offset"]), int(place["length"])
    return [tensor.SerializeToString() + _tag(_RAW_DATA, _BYTES) + _varint(length), (offset, length)]


def _is_message(buffer: Buffer, at: int) -> bool:
    """Whether the field whose tag is at `at` is length-delimited."""
    return buffer[at] & 7 == _BYTES


def _size(piece: bytes | tuple[int, int]) -> int:
    return piece[1] if isinstance(piece, tuple) else len(piece)


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(buffer: Buffer, position: int, stop: int) -> tuple[int, int]:
    result = shift = 0
    while position < stop and shift < 70:
        byte = buffer[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, position
        shift += 7
    raise WireError(f"a number at byte {position} does not end")
