"""Why a file is not a plan file, or no longer one: one line for each way in which people get there."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from onnxfix.engine.header import SIZE, Header, read_header
from onnxfix.errors import OnnxfixError

SAMPLE = 1 << 20
"""The bytes that are looked at."""

_REPLACED = b"\xef\xbf\xbd"  # what decoders put for a byte that is not UTF-8; by chance hardly ever four times
_TELLING = 256  # every plan seen has bytes in its first 256 that are no UTF-8
_MAGIC = (b"vtrt", b"ftrt", b"ptrt")
_BASE64 = tuple(base64.b64encode(magic)[:5] for magic in _MAGIC)
_SIGNATURES = (
    (b"version https://git-lfs", "is a Git-LFS pointer, not the plan itself", "run `git lfs pull`"),
    (b"PK\x03\x04", "is a zip archive, not a plan", "unpack it"),
    (b"<!DOCTYPE", "is an HTML page, perhaps a failed download", "download the plan again"),
    (b"<html", "is an HTML page, perhaps a failed download", "download the plan again"),
)
_BINARY = "a plan is binary: open it with 'rb' and 'wb', copy it in binary mode, and build or copy it again"


def plan_header(data: bytes, size: int, path: Path) -> Header:
    """The header of a plan of which `data` is the beginning (1 MiB or all of it) and `size` the bytes of the file.

    Raises OnnxfixError when the file is empty, truncated, damaged by being handled as text, or no plan at all.
    """
    header = read_header(data[:SIZE])
    if header and (not header.size or header.size == size):
        return header
    what, hint = _reason(data, size, header)
    raise OnnxfixError(what, where=str(path), hint=hint)


def _reason(data: bytes, size: int, header: Header | None) -> tuple[str, str]:
    """(what is wrong, what to do)."""
    if not data:
        return "is empty", "build the plan again"
    for signature, what, hint in _SIGNATURES:
        if data.startswith(signature):
            return what, hint
    if data.startswith((b"b'", b'b"')) and data[2:6] in _MAGIC:
        return "is the text of Python's bytes, not a plan: str() was called on it", _BINARY
    if data.startswith(_BASE64):
        return "is a plan in base64", "decode it first"
    if (metadata := _prefix(data)) is not None:
        return f"has {metadata} bytes of JSON before the plan, as Ultralytics writes", f"cut off the first {metadata}"
    if data[:4] in _MAGIC:
        return _damaged(data, size, header)
    # ModelProto: field 1 (ir_version, a small number) and then the tag of one of its next fields.
    if data[:1] == b"\x08" and re.match(rb"\x08[\x01-\x20][\x10-\x3a\x42]", data):
        return "is an ONNX model, not a plan", "`onnxfix build` makes a plan of it"
    if _is_text(data):
        return "is a text file, not a plan", "name the plan file"
    return "is not a TensorRT plan file", "`onnxfix build` makes one"


def _damaged(data: bytes, size: int, header: Header | None) -> tuple[str, str]:
    """For a file that begins as a plan does."""
    if data.count(_REPLACED) > 3 or (len(data) >= _TELLING and _is_text(data)):
        return "is a plan that was opened or written as text: its bytes were changed to UTF-8", _BINARY
    if b"\r\n" in data and data.count(b"\n") == data.count(b"\r\n"):
        return "is a plan that was opened or written as text: every line end became CR LF", _BINARY
    if header is None:
        return f"is truncated or damaged: its header is incomplete ({size} bytes)", "copy or build it again"
    if size < header.size:
        return f"is truncated: {size:,} of {header.size:,} bytes", "copy or build it again"
    return f"is damaged: {size:,} bytes where its header says {header.size:,}", "copy or build it again"


def _prefix(data: bytes) -> int | None:
    """The bytes before a plan that follows a length and that many bytes of JSON."""
    start = 4 + int.from_bytes(data[:4], "little")
    return start if data[4:5] == b"{" and data[start : start + 4] in _MAGIC else None


def _is_text(data: bytes) -> bool:
    """Whether all of it is UTF-8, which a binary file of some size never is; the last character may be cut."""
    try:
        data[:-4].decode()
    except UnicodeDecodeError:
        return False
    return True
