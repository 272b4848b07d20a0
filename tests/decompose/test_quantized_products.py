"""MatMulInteger, ConvInteger, QLinearMatMul and QLinearConv in float are exact, however large the sums are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.decompose.products import EXACT
from onnxfix.model.model import Array
from tests.decompose.integers import LIMITS, drawn
from tests.decompose.proving import builds, model_of, prove


def _model(text: str, **stored: Array) -> onnx.ModelProto:
    model = model_of(f'<ir_version: 10, opset_import: ["" : 13]>\n{text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in stored.items())
    return model


@settings(max_examples=25, deadline=None)
@given(
    kinds=st.tuples(st.sampled_from(sorted(LIMITS)), st.sampled_from(sorted(LIMITS))),
    inner=st.sampled_from([1, 7, 258, 259, 4200]),
    zeros=st.sampled_from(["none", "scalar", "rows"]),
    stored=st.booleans(),
    dynamic=st.booleans(),
    seed=st.integers(0, 99),
)
def test_matmul_integer(kinds: tuple[str, str], inner: int, zeros: str, stored: bool, dynamic: bool, seed: int) -> None:
    a, b = drawn(seed, kinds[0], 2, 3, inner), drawn(seed + 1, kinds[1], inner, 4)
    size = "K" if dynamic else str(inner)
    feeds: dict[str, Array] = {"a": a}
    given_inputs = [f"{kinds[0]}[2,3,{size}] a"] + ([] if stored else [f"{kinds[1]}[{size},4] b"])
    names = "a, b"
    if zeros != "none":
        shapes = ("", "") if zeros == "scalar" else ("[1]", "[4]")
        given_inputs += [f"{kinds[0]}{shapes[0]} u", f"{kinds[1]}{shapes[1]} v"]
        feeds["u"] = drawn(seed, kinds[0], *([] if zeros == "scalar" else [1]))
        feeds["v"] = drawn(seed, kinds[1], *([] if zeros == "scalar" else [4]))
        names = "a, b, u, v"
    model = _model(
        f"g ({', '.join(given_inputs)}) => (int32[2,3,4] y) {{ y = MatMulInteger({names}) }}",
        **({"b": b} if stored else {}),
    )
    result = prove(model, "OFX759", feeds if stored else {**feeds, "b": b})
    assert "MatMulInteger" not in {node.op_type for node in result.graph.node}


def test_the_largest_numbers_of_all() -> None:
    """255 * 255 * 4200 is far beyond 2**24, where float alone is wrong."""
    inner = 4200
    a, b = np.full((1, inner), 255, np.uint8), np.full((inner, 1), 255, np.uint8)
    b[0] = 254
    assert 255 * 255 * inner > EXACT
    model = _model(f"g (uint8[1,{inner}] a) => (int32[1,1] y) {{ y = MatMulInteger(a, b) }}", b=b)
    prove(model, "OFX759", {"a": a})


def test_a_vector_and_a_zero_point_for_each_row() -> None:
    model = _model("g (uint8[2,5] a, uint8[5] b, uint8[2] u) => (int32[2] y) { y = MatMulInteger(a, b) }")
    del model.graph.input[2]
    prove(model, "OFX759", {"a": drawn(1, "uint8", 2, 5), "b": drawn(2, "uint8", 5)})


@settings(max_examples=20, deadline=None)
@given(
    kinds=st.tuples(st.sampled_from(sorted(LIMITS)), st.sampled_from(sorted(LIMITS))),
    channels=st.sampled_from([1, 4, 64]),
    group=st.sampled_from([1, 2]),
    padded=st.booleans(),
    each=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_qlinear_conv(
    kinds: tuple[str, str], channels: int, group: int, padded: bool, each: bool, bias: bool, seed: int
) -> None:
    group = 1 if channels == 1 else group
    random, count = np.random.default_rng(seed), 4
    stored: dict[str, Array] = {
        "w": drawn(seed, kinds[1], count, channels // group, 3, 3),
        "t": random.uniform(0.001, 0.02, count if each else ()).astype(np.float32),
        "k": np.zeros(count, kinds[1]) if each else np.asarray(drawn(seed, kinds[1])),
        "s": np.array(0.013, np.float32),
        "z": np.asarray(drawn(seed + 1, kinds[0])),
        "o": np.array(0.02 * channels, np.float32),
        "b": random.integers(-(2**22), 2**22, count).astype(np.int32),
    }
    if not bias:
        stored.pop("b")
    pads, side = ("[1,1,1,1]", 5) if padded else ("[0,0,0,0]", 3)
    model = _model(
        f"g ({kinds[0]}[N,{channels},5,5] x) => ({kinds[0]}[N,{count},{side},{side}] y)"
        f"{{ y = QLinearConv<pads = {pads}, group = {group}>(x, s, z, w, t, k, o, z{', b' if bias else ''}) }}",
        **stored,
    )
    prove(model, "OFX762", {"x": drawn(seed, kinds[0], 2, channels, 5, 5)})


@pytest.mark.parametrize(("channels", "zero"), [(2, 0), (600, 9)])
def test_conv_integer(channels: int, zero: int) -> None:
    model = _model(
        f"g (uint8[1,{channels},4,4] x, uint8 u) => (int32[1,2,4,4] y)"
        f"{{ y = ConvInteger<pads = [1,1,1,1]>(x, w, u, v) }}",
        w=drawn(3, "uint8", 2, channels, 3, 3),
        v=np.array(zero, np.uint8),
    )
    prove(model, "OFX760", {"x": drawn(4, "uint8", 1, channels, 4, 4), "u": np.array(255, np.uint8)})


@settings(max_examples=15, deadline=None)
@given(inner=st.sampled_from([1, 40, 5000]), each=st.booleans(), seed=st.integers(0, 99))
def test_qlinear_matmul(inner: int, each: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    model = _model(
        f"g (uint8[2,3,{inner}] a) => (uint8[2,3,4] y) {{ y = QLinearMatMul(a, s, z, b, t, k, o, z) }}",
        b=drawn(seed, "int8", inner, 4),
        s=np.array(0.02, np.float32),
        z=np.array(131, np.uint8),
        t=random.uniform(0.001, 0.1, 4 if each else ()).astype(np.float32),
        k=drawn(seed, "int8", 4) if each else np.array(-3, np.int8),
        o=np.array(0.05 * inner, np.float32),
    )
    prove(model, "OFX761", {"a": drawn(seed, "uint8", 2, 3, inner)})


def test_the_engine_takes_what_it_refused() -> None:
    matmul = _model("g (uint8[2,600] a) => (int32[2,4] y) { y = MatMulInteger(a, b) }", b=drawn(1, "uint8", 600, 4))
    assert not builds(matmul) and builds(prove(matmul, "OFX759"))
    scale, zero = np.array(0.5, np.float32), np.array(7, np.uint8)
    conv = _model(
        "g (uint8[1,2,4,4] x) => (uint8[1,3,2,2] y) { y = QLinearConv(x, s, z, w, s, z, s, z) }",
        w=drawn(1, "uint8", 3, 2, 3, 3),
        s=scale,
        z=zero,
    )
    assert not builds(conv) and builds(prove(conv, "OFX762"))
