"""Products of com.microsoft with transposes, factors and activations in them, as MatMul, Gemm and nodes around."""

from __future__ import annotations

from onnxfix.decompose import forms
from onnxfix.decompose.microsoft_gelu import activated
from onnxfix.decompose.op import Op


def fused_matmul(op: Op) -> None:
    """FusedMatMul, TransposeMatMul, FusedMatMulActivation: activation(alpha op(A) op(B)), with numpy's broadcasting.

    `transA` and `transB` swap the last two axes of an operand that has two; `transBatchA` and `transBatchB` first
    bring axis 0 behind the other batch axes.
    """
    a, b = (_operand(op, place, letter) for place, letter in ((0, "A"), (1, "B")))
    product = op.make("MatMul", a, b)
    alpha = float(op.attribute("alpha", 1.0))
    if alpha != 1.0:
        product = op.make("Mul", product, op.like(0, alpha))
    if op.node.op_type == "FusedMatMulActivation":
        given = {a.name for a in op.node.attribute}
        parameters = [op.attribute(f"activation_{n}") for n in ("alpha", "beta", "gamma") if f"activation_{n}" in given]
        kind = op.attribute("activation")
        if kind == "Softmax":
            rank = max(len(op.dims(0)), len(op.dims(1)))
            product = forms.softmax(op, product, int(op.attribute("activation_axis", -1)), rank)
        else:
            product = activated(op, product, kind, parameters, op.dtype(0))
    op.finish(product)


def _operand(op: Op, place: int, letter: str) -> str:
    swap, batch = int(op.attribute(f"trans{letter}", 0)), int(op.attribute(f"transBatch{letter}", 0))
    if not swap and not batch:
        return op.input(place)
    rank = len(op.dims(place))
    if rank < 2:
        return op.input(place)
    order = list(range(rank))
    if batch:
        op.require(rank >= 3, f"transBatch{letter} needs three axes")
        order = [*order[1:-1], 0, order[-1]]
    if swap:
        order[-2:] = order[-1], order[-2]
    return op.make("Transpose", op.input(place), perm=order)


def fused_gemm(op: Op) -> None:
    """FusedGemm: Gemm and an activation."""
    inputs = [op.input(0), op.input(1), op.input(2)]
    op.require(bool(inputs[2]) or op.opset >= 11, "Gemm needs its third input below opset 11")
    kept = {name: op.attribute(name) for name in ("alpha", "beta", "transA", "transB")}
    value = op.make("Gemm", *inputs, **kept)
    given = [op.attribute(f"activation_{name}") for name in ("alpha", "beta", "gamma")]
    parameters = [number for number in given if number is not None]
    op.finish(activated(op, value, op.attribute("activation", ""), parameters, op.dtype(0)))
