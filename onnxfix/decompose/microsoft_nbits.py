"""Weights of 2, 4 or 8 bits in blocks: MatMulNBits, MatMulBnb4 and GatherBlockQuantized of com.microsoft.

The weights are constants; they are unpacked here, and become float weights or, where the target can keep four bits,
a DequantizeLinear of INT4 in blocks.  Layouts: documentation of ONNX Runtime's contrib operators.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onnxfix.decompose.op import Op
from onnxfix.model.model import Array

LARGE = 1 << 28
"""Bytes of unpacked weights of one node above which the rewrite is unsafe: the file grows four to eight times."""

_INT4 = 22
_FLOAT16 = 10


def bit_packed(op: Op) -> None:
    """MatMulNBits, MatMulBnb4 and GatherBlockQuantized."""
    _BODIES[op.node.op_type](op)


def _matmul_nbits(op: Op) -> None:
    """MatMulNBits: A times the transposed weights (N, K), (q - zero point) x scale; plus the optional bias."""
    op.require(not op.has(4), "it reorders the groups (g_idx)")
    op.require(not op.attribute("weight_prepacked", 0), "the weights are packed for one kind of GPU")
    bits, block = int(op.attribute("bits", 4)), int(op.attribute("block_size"))
    rows, columns = int(op.attribute("N")), int(op.attribute("K"))
    op.require(bits in (2, 4, 8), f"weights of {bits} bits are not written out")
    packed, scales = op.values(1, "the packed weights"), op.values(2, "the scales")
    blocks = -(-columns // block)
    op.require(packed.size == rows * blocks * block * bits // 8, "the packed weights have another size")
    levels = unpacked(packed.reshape(rows, -1), bits, blocks * block).reshape(rows, blocks, block)
    zeros = _zero_points(op, bits, rows, blocks)
    _state_cost(op, rows * columns)
    steps = scales.reshape(rows, blocks)
    if _fits_int4(op, bits, columns % block, zeros):
        weights = _int4(op, levels, steps, block)
    else:
        wide = (levels.astype(np.float32) - zeros[:, :, None]) * steps.astype(np.float32)[:, :, None]
        weights = op.const(wide.reshape(rows, -1)[:, :columns].T.copy(), op.dtype(0))
    product = op.make("MatMul", op.input(0), weights)
    op.finish(op.make("Add", product, op.input(5)) if op.has(5) else product)
    if int(op.attribute("accuracy_level", 0)) == 4:
        op.unsafe = "accuracy_level 4 lets a runtime round the other operand to 8 bits, which is not done here"


def _fits_int4(op: Op, bits: int, rest: int, zeros: NDArray[np.float32]) -> bool:
    """Whether the weights can stay INT4: blocks of DequantizeLinear came with opset 21, zero points must be zero."""
    return op.opset >= 21 and bits == 4 and rest == 0 and bool((zeros == 8).all())


def _int4(op: Op, levels: NDArray[np.uint8], steps: Array, block: int) -> str:
    rows = levels.shape[0]
    shifted = (levels.astype(np.int8) - 8).reshape(rows, -1).T
    stored = op.const(np.ascontiguousarray(shifted), _INT4)
    scale = op.const(np.ascontiguousarray(steps.T), op.dtype(0))
    return op.make("DequantizeLinear", stored, scale, axis=0, block_size=block)


def _zero_points(op: Op, bits: int, rows: int, blocks: int) -> NDArray[np.float32]:
    """(rows, blocks): given as packed levels or as numbers, else the middle level."""
    if not op.has(3):
        return np.full((rows, blocks), 2.0 ** (bits - 1), dtype=np.float32)
    given = op.values(3, "the zero points")
    if given.dtype != np.uint8:
        return given.reshape(rows, blocks).astype(np.float32)
    return unpacked(given.reshape(rows, -1), bits, blocks).astype(np.float32)


def unpacked(packed: Array, bits: int, count: int) -> NDArray[np.uint8]:
    """(rows, bytes) as (rows, count) levels; the lowest bits of a byte come first."""
    per_byte = 8 // bits
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    levels = (packed[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    return levels.reshape(packed.shape[0], -1)[:, :count]


def _gather(op: Op) -> None:
    """GatherBlockQuantized: rows of a table of 4 or 8 bits, as a Gather from the unpacked table."""
    data, scales = op.values(0, "the table"), op.values(2, "the scales")
    bits, block = int(op.attribute("bits", 4)), int(op.attribute("block_size", 128))
    kind = op.dtype(0)
    op.require(kind in (2, 21, 22), "the table is neither uint8, uint4 nor int4")
    op.require(bool(block) and data.ndim == 2, "the table does not have two axes, or no blocks")
    op.require(int(op.attribute("gather_axis", 0)) == 0, "it does not gather rows")
    op.require(int(op.attribute("quantize_axis", 1)) in (1, -1), "its blocks do not lie in the rows")
    packed = kind == 2 and bits < 8
    levels = unpacked(data, bits, data.shape[1] * 8 // bits) if packed else data
    middle = 0 if kind != 2 else 1 << (bits - 1)
    zeros = np.full(scales.shape, middle, dtype=np.float32)
    if op.has(3):
        given = op.values(3, "the zero points")
        zeros = (unpacked(given, bits, scales.shape[1]) if packed else given).astype(np.float32)
    _state_cost(op, levels.size)
    spread = [np.repeat(part.astype(np.float32), block, axis=1)[:, : levels.shape[1]] for part in (scales, zeros)]
    table = op.const((levels.astype(np.float32) - spread[1]) * spread[0], op.dtype(2))
    op.finish(op.make("Gather", table, op.input(1), axis=0))


_NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
_FP4 = (0.0, 5.208333333e-03, 2 / 3, 1.0, 1 / 3, 0.5, 1 / 6, 0.25)
"""The numbers that four bits stand for (bitsandbytes: QLoRA's NF4, and FP4 with a sign in the highest bit)."""


def _matmul_bnb4(op: Op) -> None:
    """MatMulBnb4: weights (N, K) in flat blocks of levels from a fixed table; the higher four bits come first."""
    op.require(bool(op.attribute("transB", 1)), "the weights are not transposed")
    rows, columns, block = (int(op.attribute(name)) for name in ("N", "K", "block_size"))
    packed, largest = op.values(1, "the packed weights").reshape(-1), op.values(2, "the scales").reshape(-1)
    levels = np.stack([packed >> 4, packed & 15], axis=1).reshape(-1)[: rows * columns]
    table = np.array(_NF4 if int(op.attribute("quant_type")) == 1 else [*_FP4, *(-x for x in _FP4)], dtype=np.float32)
    _state_cost(op, rows * columns)
    scale = np.repeat(largest.astype(np.float32), block)[: rows * columns]
    weights = op.const((table[levels] * scale).reshape(rows, columns).T.copy(), op.dtype(0))
    op.finish(op.make("MatMul", op.input(0), weights))


def _state_cost(op: Op, count: int) -> None:
    size = count * (2 if op.dtype(0) == _FLOAT16 else 4)
    if size > LARGE:
        op.unsafe = f"the unpacked weights take {math.ceil(size / 2**20)} MiB"


_BODIES = {"GatherBlockQuantized": _gather, "MatMulBnb4": _matmul_bnb4, "MatMulNBits": _matmul_nbits}
