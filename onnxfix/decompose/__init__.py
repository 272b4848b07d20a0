"""Operators written in other operators: one function for each body, one file for each family.

A body takes an `Op` (the node, its types and constants, and a builder) and either finishes it or raises NoRewrite
with the reason.  Rules name the bodies: `action = { name = "decompose", body = "…", operators = ["…"] }`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnxfix.decompose.op import NoRewrite, Op

BODIES: Mapping[str, Callable[[Op], None]] = {}

__all__ = ["BODIES", "NoRewrite", "Op"]
