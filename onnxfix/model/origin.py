"""Where a node comes from: the line of Python and the module that its exporter wrote down."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import onnx

TRACE, SCOPES = "pkg.torch.onnx.stack_trace", "pkg.torch.onnx.name_scopes"
"""Keys of a node's metadata_props (torch.onnx with dynamo=True)."""

_TRACE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>[^\s]+)')
_DOC = re.compile(r"^(?P<file>\S.*?\.py)\((?P<line>\d+)\): (?P<name>\S+)", re.MULTILINE)  # the TorchScript exporter
_LIBRARY = re.compile(r"[\\/](site-packages|dist-packages|torch|onnxscript|lib[\\/]python[\d.]*)[\\/]")


def origin_of(node: onnx.NodeProto) -> str:
    """`net.py:12 in forward (encoder.conv1)`; "" when the exporter recorded nothing.

    The frame is the innermost one that is not a library's; the module is the path of attribute names.
    """
    kept = {entry.key: entry.value for entry in node.metadata_props if entry.key in (TRACE, SCOPES)}
    innermost_first = [*reversed(list(_TRACE.finditer(kept.get(TRACE, "")))), *_DOC.finditer(node.doc_string)]
    place = _frame(innermost_first)
    module = _module(kept.get(SCOPES, ""))
    return f"{place} ({module})" if place and module else place or (f"module {module}" if module else "")


def _frame(frames: Iterable[re.Match[str]]) -> str:
    frame = next((frame for frame in frames if not _LIBRARY.search(frame["file"])), None)
    return f"{frame['file']}:{frame['line']} in {frame['name']}" if frame else ""


def _module(scopes: str) -> str:
    """The innermost module of `['', 'encoder', 'encoder.conv1', 'conv2d']`, whose last name is the operator's."""
    try:
        names = ast.literal_eval(scopes)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    plain = [name for name in names if isinstance(name, str) and name] if isinstance(names, list) else []
    return plain[-2] if len(plain) > 1 else ""
