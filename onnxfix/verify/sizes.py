"""Numbers for symbolic dimensions: several sizes, because a repair can be right at one size only."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from onnxfix.verify.inputs import InputSpec, Size

Sizes = dict[str, int]

# (batch, other) of the two runs of one level; the next level counts when the original refuses both.
_LEVELS = (
    ((1, 3), (2, 7)),
    ((1, 8), (2, 16)),
    ((1, 32), (2, 64)),
    ((1, 224), (2, 256)),
    ((8, 8), (16, 16)),
    ((32, 32), (1, 1)),
)
_SOUND = ((1, 1024), (2, 2048))
"""Samples of sound, tried last where one size is free besides the batch: windows of 400 and more are usual."""


def levels(specs: Sequence[InputSpec], fixed: Mapping[str, int]) -> Iterator[list[Sizes]]:
    """Lists of sizes by dimension name, the most telling first; [{}] alone when nothing is dynamic.

    Names at axis 0, and at axis 1 of recurrent states, are batches. `fixed` has sizes that the repaired model demands.
    The first list gives different names different sizes, so that mixed-up axes show; the others give them one size.
    """
    symbols = [s for s in dict.fromkeys(_symbols(specs)) if not _parts(s, set(_symbols(specs)) - {s})]
    batch = {spec.dims[0] for spec in specs if spec.dims} | _states(specs)
    free = [symbol for symbol in symbols if symbol not in fixed]
    if not free:
        yield [dict(fixed)]
        return
    last = (_SOUND,) if len([symbol for symbol in free if symbol not in batch]) == 1 else ()
    for step, level in ((1, _LEVELS[0]), *((0, level) for level in (*_LEVELS, *last))):
        runs = []
        for first, other in level:
            inner = (other + step * place for place in range(len(free)))
            sizes = {symbol: first if symbol in batch else next(inner) for symbol in free}
            runs.append({**sizes, **{name: size for name, size in fixed.items() if name in symbols}})
        yield runs


def resolve(dim: Size, sizes: Mapping[str, int]) -> int | None:
    """The number of a dimension; None when it has a name that no input has."""
    if isinstance(dim, int):
        return dim
    if dim in sizes:
        return sizes[dim]
    return _evaluate(ast.parse(dim, mode="eval").body, sizes) if _parts(dim, set(sizes)) else None


def _states(specs: Sequence[InputSpec]) -> set[Size]:
    """The batches of recurrent states [layers, batch, hidden] that stand beside an input with a free batch."""
    if not any(isinstance(spec.dims[0], str) for spec in specs if spec.dims):
        return set()
    shapes = [spec.dims for spec in specs if len(spec.dims) == 3]
    return {dims[1] for dims in shapes if isinstance(dims[0], int) and isinstance(dims[2], int)}


def _symbols(specs: Sequence[InputSpec]) -> Iterator[str]:
    return (dim for spec in specs for dim in spec.dims if isinstance(dim, str))


def _parts(text: str, names: set[str]) -> bool:
    """Whether the text is a sum, difference, product or quotient of these names and of numbers."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return isinstance(tree, ast.BinOp) and used <= names and _evaluate(tree, dict.fromkeys(used, 1)) is not None


def _evaluate(tree: ast.expr, sizes: Mapping[str, int]) -> int | None:
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int):
        return tree.value
    if isinstance(tree, ast.Name):
        return sizes.get(tree.id)
    if not isinstance(tree, ast.BinOp):
        return None
    left, right = _evaluate(tree.left, sizes), _evaluate(tree.right, sizes)
    if left is None or right is None:
        return None
    match tree.op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return max(left - right, 0)
        case ast.Mult():
            return left * right
        case ast.FloorDiv() | ast.Div():
            return left // right if right else None
    return None
