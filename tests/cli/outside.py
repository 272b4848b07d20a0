"""Two small models, and the type of the `onnxfix` fixture."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

SICK = """<ir_version: 8, opset_import: ["" : 13]>
g (float[2,3] x) => (float[2,3] z)
{ t = Neg(x)
  y = Neg(t)
  z = Relu(y) }"""
WELL = """<ir_version: 8, opset_import: ["" : 13]>
g (float[N,3] x) => (float[N,3] y)
{ y = Relu(x) }"""

Command = Callable[..., subprocess.CompletedProcess[str]]
