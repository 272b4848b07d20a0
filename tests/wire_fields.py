"""Protobuf's bytes, for files that no library would write."""

from __future__ import annotations


def head(number: int, size: int) -> bytes:
    """What stands before the `size` bytes of a length-delimited field (the protobuf encoding, wire type 2)."""
    length = b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size])


def field(number: int, value: bytes) -> bytes:
    """A length-delimited field."""
    return head(number, len(value)) + value
