"""Commands that fail for some models."""

from __future__ import annotations

import sys

FAILING = """import sys, onnx
def every(nodes):
    for node in nodes:
        yield node
        for a in node.attribute:
            for g in (a.g, *a.graphs):
                yield from every(g.node)
m = onnx.load(sys.argv[1], load_external_data=False)
ops = {n.op_type for n in every(m.graph.node)} | {n.op_type for f in m.functions for n in every(f.node)}
sys.exit(7 if set(sys.argv[2:]) <= ops else 0)
"""

FLOWING = """import sys, onnx
m = onnx.load(sys.argv[1], load_external_data=False)
reached = set()
for n in m.graph.node:
    if n.op_type == sys.argv[2] or reached & set(n.input):
        if n.op_type == sys.argv[3]:
            sys.exit(1)
        reached.update(n.output)
"""

CRASHING = """import ctypes, sys, onnx
m = onnx.load(sys.argv[1], load_external_data=False)
if any(n.op_type == sys.argv[2] for n in m.graph.node):
    ctypes.string_at(0)
"""


def command(program: str, *words: str) -> list[str]:
    """The words of a command that runs a program on the candidate."""
    return [sys.executable, "-c", program, "{}", *words]
