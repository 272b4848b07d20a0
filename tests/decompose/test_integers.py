"""Bits by arithmetic: exact for every number of the type, the smallest and the negative ones too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model.model import Array
from tests.decompose.proving import builds, evaluated, model_of, outcome_of, prove, unsafe

KINDS = {"int32": np.int32, "int64": np.int64}


def _edges(kind: str) -> Array:
    info = np.iinfo(kind)
    edges = [0, 1, -1, 2, 15, 16, 255, -256, info.max, info.min, info.max - 1, info.min + 1, 0x0F0F0F0F, -0x0F0F0F10]
    return np.array(edges, kind)


@settings(max_examples=15, deadline=None)
@given(
    op=st.sampled_from(["BitwiseAnd", "BitwiseOr", "BitwiseXor"]),
    kind=st.sampled_from(sorted(KINDS)),
    data=st.data(),
)
def test_two_computed_operands(op: str, kind: str, data: st.DataObject) -> None:
    numbers = st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    a = np.append(_edges(kind), np.array(data.draw(st.lists(numbers, min_size=6, max_size=6)), kind)).reshape(4, 5)
    b = np.array(data.draw(st.lists(numbers, min_size=5, max_size=5)), kind)
    text = f"""<ir_version: 8, opset_import: ["" : 18]>
    g ({kind}[N,5] a, {kind}[5] b) => ({kind}[N,5] y) {{ y = {op}(a, b) }}"""
    prove(text, "OFX765", {"a": a, "b": b})


@settings(max_examples=15, deadline=None)
@given(
    op=st.sampled_from(["BitwiseAnd", "BitwiseOr", "BitwiseXor"]), kind=st.sampled_from(sorted(KINDS)), data=st.data()
)
def test_a_constant_mask(op: str, kind: str, data: st.DataObject) -> None:
    info = np.iinfo(kind)
    mask = data.draw(
        st.one_of(st.integers(int(info.min), int(info.max)), st.sampled_from([0, -1, int(info.max), int(info.min)]))
    )
    text = f"""<ir_version: 8, opset_import: ["" : 18]>
    g ({kind}[14] a) => ({kind}[14] y) <{kind} m = {{{mask}}}> {{ y = {op}(m, a) }}"""
    prove(text, "OFX765", {"a": _edges(kind)})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_not(kind: str) -> None:
    text = f'<ir_version: 8, opset_import: ["" : 18]>\ng ({kind}[14] a) => ({kind}[14] y) {{ y = BitwiseNot(a) }}'
    prove(text, "OFX765", {"a": _edges(kind)})


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("kind", ["uint8", "uint32", "uint64"])
def test_shifts_of_unsigned_numbers(kind: str, direction: str) -> None:
    bits = np.iinfo(kind).bits
    shifts = np.arange(bits, dtype=kind)
    numbers = np.array([np.iinfo(kind).max, np.iinfo(kind).max // 3, 1, 0], kind)[:, None]
    text = f"""<ir_version: 8, opset_import: ["" : 11]>
    g ({kind}[4,1] a, {kind}[{bits}] n) => ({kind}[4,{bits}] y) {{ y = BitShift<direction = "{direction}">(a, n) }}"""
    prove(text, "OFX766", {"a": numbers, "n": shifts})


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64"])
def test_shifts_of_signed_numbers_are_as_opset_28_says(kind: str, direction: str) -> None:
    info = np.iinfo(kind)
    shifts = np.array([*range(info.bits + 2), -1, -3], kind)
    numbers = np.array([info.max, info.min, -1, -7, 0, 5], kind)[:, None]
    text = f"""<ir_version: 13, opset_import: ["" : 28]>
    g ({kind}[6,1] a, {kind}[{len(shifts)}] n) => ({kind}[6,{len(shifts)}] y)
    {{ y = BitShift<direction = "{direction}">(a, n) }}"""
    result = outcome_of(text, "OFX766")
    assert result.journal and not result.complaint
    feeds = {"a": numbers, "n": shifts}
    np.testing.assert_array_equal(evaluated(result.model.proto, feeds)[0], evaluated(model_of(text), feeds)[0])


@pytest.mark.parametrize(
    ("source", "target"), [("uint8", "int8"), ("int8", "uint8"), ("uint32", "int32"), ("int16", "uint16")]
)
def test_bit_cast(source: str, target: str) -> None:
    number = {"int8": 3, "uint8": 2, "int32": 6, "uint16": 4}[target]
    text = f"""<ir_version: 13, opset_import: ["" : 26]>
    g ({source}[5] a) => ({target}[5] y) {{ y = BitCast<to = {number}>(a) }}"""
    info = np.iinfo(source)
    numbers = np.array([info.min, info.max, 0, 1, info.max // 2 + 1], source)
    result = outcome_of(text, "OFX767")
    assert [entry.code for entry in result.journal] == ["OFX767"]
    np.testing.assert_array_equal(evaluated(result.model.proto, {"a": numbers})[0], numbers.view(target))


def test_the_bits_of_floats() -> None:
    edges = [0.0, -0.0, 1.0, -1.5, np.inf, -np.inf, 2.0**-126, 2.0**-149, -(2.0**-130), 3.4028235e38, np.pi, 1e-40]
    drawn = np.random.default_rng(0).integers(-(2**31), 2**31, 3000).astype(np.int32).view(np.float32)
    x = np.concatenate([np.array(edges, np.float32), np.exp2(np.arange(-149, 128)).astype(np.float32), drawn])
    x = x[~np.isnan(x)]
    text = f"""<ir_version: 13, opset_import: ["" : 26]>
    g (float[{len(x)}] a) => (int32[{len(x)}] y) {{ y = BitCast<to = 6>(a) }}"""
    back = f"""<ir_version: 13, opset_import: ["" : 26]>
    g (int32[{len(x)}] a) => (float[{len(x)}] y) {{ y = BitCast<to = 1>(a) }}"""
    with np.errstate(all="ignore"):
        bits = evaluated(outcome_of(text, "OFX767").model.proto, {"a": x})[0]
        np.testing.assert_array_equal(bits, x.view(np.int32))
        again = evaluated(outcome_of(back, "OFX767").model.proto, {"a": x.view(np.int32)})[0]
    np.testing.assert_array_equal(again.view(np.int32), x.view(np.int32))


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    shapes=st.sampled_from(
        [((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((5, 1, 2, 3), (4, 3, 2)), ((2, 3), (5, 3, 2))]
    ),
    dynamic=st.booleans(),
    seed=st.integers(0, 99),
)
def test_matmul_is_exact_beyond_float(
    kind: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], dynamic: bool, seed: int
) -> None:
    # ONNX Runtime sums int64 as double
    largest, random = int((min(int(np.iinfo(kind).max), 2**53) / 3) ** 0.5), np.random.default_rng(seed)
    a, b = (random.integers(-largest, largest, shape, dtype=kind) for shape in shapes)
    rank = np.matmul(a, b).ndim
    dims = [
        ",".join(f"{side}{axis}" if dynamic and axis < len(shape) - 2 else str(size) for axis, size in enumerate(shape))
        for side, shape in zip("ab", shapes, strict=True)
    ]
    made = ",".join(f"r{axis}" for axis in range(rank))
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g ({kind}[{dims[0]}] a, {kind}[{dims[1]}] b) => ({kind}{f"[{made}]" if rank else ""} y) {{ y = MatMul(a, b) }}"""
    prove(text, "OFX210", {"a": a, "b": b})


def test_a_large_matmul_of_integers_is_unsafe() -> None:
    head = '<ir_version: 8, opset_import: ["" : 13]>\n'
    assert unsafe(head + "g (int32[512,512] a, int32[512,512] b) => (int32[512,512] y) { y = MatMul(a, b) }", "OFX210")
    assert unsafe(head + "g (int32[4,K] a, int32[K,4] b) => (int32[4,4] y) { y = MatMul(a, b) }", "OFX210")


def test_the_engine_takes_what_it_refused() -> None:
    head = '<ir_version: 8, opset_import: ["" : 18]>\n'
    mask = head + "g (int32[4] a) => (int32[4] y) <int32 m = {-61}> { y = BitwiseAnd(a, m) }"
    both = head + "g (int64[4] a, int64[4] b) => (int64[4] y) { y = BitwiseXor(a, b) }"
    shift = head + 'g (uint8[4] a, uint8[4] b) => (uint8[4] y) { y = BitShift<direction = "RIGHT">(a, b) }'
    matmul = head + "g (int32[2,3] a, int32[3,2] b) => (int32[2,2] y) { y = MatMul(a, b) }"
    for text, code in ((matmul, "OFX210"), (mask, "OFX765"), (both, "OFX765"), (shift, "OFX766")):
        assert not builds(text)
        assert builds(prove(text, code))
