"""What the first bytes of a plan file say.

TensorRT-RTX (seen in plans of 1.4.0, 1.5.0, 1.6.1 and 1.7.1): 64 bytes, little-endian: 0 "vtrt"; 16 the size of the
whole file (u64); 24 the version, one byte each for major, minor, patch and build; 28 "vtrt" again; 32 a mask of compute
capabilities (u64), of which six bits are known. The rest is not known.
TensorRT: "ftrt" opens a plan and "ptrt" a part of one; its other fields are not known here, so that release, GPU
and operating system are told by the sidecar only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIZE = 64
_RTX = b"vtrt"
_TENSORRT = (b"ftrt", b"ptrt")
_LAYOUT = struct.Struct("<4x12xQ4B4sQ")
_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
"""By bit of the mask."""


@dataclass(frozen=True, slots=True)
class Header:
    """`flavour` is the Python module that loads the plan. `version` is "1.7.1.116", `size` the bytes that the file
    must have and `compute_capabilities` the GPUs it is for: "", 0 and () where the header does not tell.
    `nameless` says that TensorRT-RTX built it for a GPU that is none of its targets, and only for that one."""

    flavour: str
    version: str = ""
    size: int = 0
    compute_capabilities: tuple[str, ...] = ()
    nameless: bool = False


def read_header(head: bytes) -> Header | None:
    """The header of a plan, None when `head` (its first 64 bytes) is not that of a plan."""
    if head[:4] in _TENSORRT:
        return Header("tensorrt")
    if head[:4] != _RTX or len(head) < SIZE:
        return None
    size, *version, again, mask = _LAYOUT.unpack_from(head)
    if again != _RTX:
        return None
    return Header("tensorrt_rtx", ".".join(map(str, version)), size, _capabilities(mask), mask == 0)


def _capabilities(mask: int) -> tuple[str, ...]:
    """() as soon as one bit is not known: the plan may then be for more GPUs than can be named."""
    if mask >> len(_CAPABILITIES):
        return ()
    return tuple(name for bit, name in enumerate(_CAPABILITIES) if mask >> bit & 1)
