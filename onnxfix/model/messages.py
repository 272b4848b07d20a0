"""Copies of protobuf messages, which rules change instead of the model's own."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message

Proto = TypeVar("Proto", bound=Message)


def copied(message: Proto) -> Proto:
    """A message of its own with the same content."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
