"""Messages between parent and child: length-prefixed pickles, big buffers sent beside the pickle.

One message is: the number of parts (u32), then every part with its length (u64) in front. Part 0 is the
pickle (protocol 5), the others are its out-of-band buffers, so that arrays are not copied into the pickle.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

Part = bytes | bytearray | memoryview


def encode(message: Any) -> list[Part]:
    """The parts of a message. Raises whatever pickle raises for objects that it cannot store."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    return [head, *(buffer.raw() for buffer in buffers)]


def send(stream: BinaryIO, parts: Sequence[Part]) -> None:
    """Writes one message and flushes."""
    stream.write(struct.pack("<I", len(parts)))
    for part in parts:
        stream.write(struct.pack("<Q", len(part)))
        stream.write(part)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Reads one message. Raises EOFError when the other side has gone."""
    (count,) = struct.unpack("<I", _exactly(stream, 4))
    parts = []
    for _ in range(count):
        (size,) = struct.unpack("<Q", _exactly(stream, 8))
        parts.append(_exactly(stream, size))
    return pickle.loads(parts[0], buffers=parts[1:])


def _exactly(stream: BinaryIO, size: int) -> bytearray:
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("the other side closed the pipe")
        done += got
    return data
