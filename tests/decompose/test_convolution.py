"""DeformConv, Col2Im and dilated deconvolution, against ONNX Runtime and TensorRT-RTX."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onnxfix.decompose import convolution
from tests.decompose.proving import builds, model_of, prove, reason, unsafe


def numbers(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def sizes(count: int, low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=count, max_size=count)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2), st.data(), st.booleans())
def test_columns_to_image(count: int, data: st.DataObject, dynamic: bool) -> None:
    block, strides, dilations = (data.draw(sizes(count, 1, 3)) for _ in range(3))
    if count == 1:
        dilations = [1]  # ONNX Runtime 1.32 reads the wrong channel there, unlike onnx.reference
    pads, image = data.draw(sizes(2 * count, 0, 2)), data.draw(sizes(count, 7, 9))
    channels = data.draw(st.integers(1, 3))
    windows = [
        (image[i] + pads[i] + pads[i + count] - (block[i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i in range(count)
    ]
    shapes = [",".join(map(str, shape)) for shape in (image, block)]
    rows, columns = channels * math.prod(block), math.prod(windows)
    batch = "N" if dynamic else "2"
    proto = model_of(
        f"g (float[{batch},{rows},{columns}] x) => (float[{batch},{channels}{',O' * count}] y) "
        f"<int64[{count}] image = {{{shapes[0]}}}, int64[{count}] block = {{{shapes[1]}}}> "
        f"{{ y = Col2Im <strides = {strides}, dilations = {dilations}, pads = {pads}> (x, image, block) }}".replace(
            ",O,O", ",O,P"
        )
    )
    prove(proto, "OFX744", {"x": numbers(2, rows, columns)})


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.data(), st.booleans())
def test_dilated_deconvolution(count: int, data: st.DataObject, known: bool) -> None:
    kernel, strides, dilations = (
        data.draw(sizes(count, 1, 3)),
        data.draw(sizes(count, 1, 3)),
        data.draw(sizes(count, 1, 3)),
    )
    strides[0], dilations[-1] = max(2, strides[0]), max(2, dilations[-1])
    group = data.draw(st.integers(1, 2))
    more = [data.draw(st.integers(0, stride - 1)) for stride in strides]
    weights = numbers(2 * group, 2, *kernel)
    text = ",".join(map(str, weights.shape))
    stored = f"<float[{text}] w = {{{','.join(map(str, weights.reshape(-1)))}}}>" if known else ""
    free = "" if known else f", float[{text}] w"
    proto = model_of(
        f"g (float[N,{2 * group}{''.join(f',D{i}' for i in range(count))}] x{free}) => "
        f"(float[N,{2 * group}{''.join(f',O{i}' for i in range(count))}] y) {stored} "
        f"{{ y = ConvTranspose <group = {group}, strides = {strides}, dilations = {dilations}, "
        f"output_padding = {more}> (x, w) }}"
    )
    feeds = {"x": numbers(1, 2 * group, *([3] * count), seed=1)} | ({} if known else {"w": weights})
    prove(proto, "OFX745", feeds)


@settings(max_examples=40, deadline=None)
@given(
    *(
        st.lists(numbers, min_size=2, max_size=2)
        for numbers in (st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))
    ),
    st.lists(st.integers(-2, 1), min_size=2, max_size=2),
    st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER"]),
    st.booleans(),
)
def test_the_size_of_a_deconvolution(
    kernel: list[int], strides: list[int], dilations: list[int], more: list[int], automatic: str, padded: bool
) -> None:
    """`more` than the full output, which is larger where there is output_padding (`padded`)."""
    room = [stride - 1 for stride in strides]  # ONNX Runtime takes no more, whatever the dilation
    output_padding = [min(1, most) * int(padded) for most in room]
    full = [4 * s + (k - 1) * d + 1 for s, k, d in zip(strides, kernel, dilations, strict=True)]
    wanted = [sum(sizes) for sizes in zip(full, output_padding, more, strict=True)]
    assume(all(size - least <= most for size, least, most in zip(wanted, full, room, strict=True)))
    assume(min(wanted) > 0)
    proto = model_of(
        f"g (float[N,2,5,5] x, float[2,1,{kernel[0]},{kernel[1]}] w, float[1] b) => (float[N,1,A,B] y) "
        f"{{ y = ConvTranspose <strides = {strides}, dilations = {dilations}, output_shape = {wanted}, "
        f'output_padding = {output_padding}, auto_pad = "{automatic}"> (x, w, b) }}'
    )
    prove(proto, "OFX753", {"x": numbers(1, 2, 5, 5), "w": numbers(2, 1, *kernel), "b": numbers(1, seed=2)})


@pytest.mark.parametrize("automatic", ["SAME_UPPER", "SAME_LOWER"])
def test_automatic_and_output_padding(automatic: str) -> None:
    proto = model_of(
        "g (float[N,2,A,B] x, float[2,1,3,4] w) => (float[N,1,C,D] y) { y = ConvTranspose "
        f'<strides = [2, 3], output_padding = [1, 2], auto_pad = "{automatic}"> (x, w) }}'
    )
    assert builds(prove(proto, "OFX753", {"x": numbers(1, 2, 5, 6), "w": numbers(2, 1, 3, 4)}))


@pytest.mark.parametrize(
    ("shape", "expected"), [("[40]", "larger than any padding makes it"), ("[6]", "size of the kernel or of the input")]
)
def test_a_size_without_a_padding_is_refused(shape: str, expected: str) -> None:
    dims = "1,1,5" if shape == "[40]" else "1,1,A"
    text = f"g (float[{dims}] x, float[1,1,3] w) => (float[1,1,O] y) "
    assert expected in reason(text + f"{{ y = ConvTranspose <output_shape = {shape}> (x, w) }}", "OFX753")


@settings(max_examples=20, deadline=None)
@given(st.data(), *(st.booleans() for _ in range(3)))
def test_deformable_convolution(data: st.DataObject, dynamic: bool, masked: bool, biased: bool) -> None:
    kernel, strides, dilations = (data.draw(sizes(2, 1, 3)) for _ in range(3))
    pads, image = data.draw(sizes(4, 0, 2)), data.draw(sizes(2, 7, 9))
    group, offset_group = data.draw(st.sampled_from([1, 2])), data.draw(st.sampled_from([1, 2, 4]))
    out = [(image[i] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(2)]
    places = math.prod(kernel) * offset_group
    feeds = {
        "x": numbers(2, 4, *image),
        "w": numbers(6, 4 // group, *kernel),
        "o": numbers(2, 2 * places, *out) * 3,
        "b": numbers(6),
        "m": numbers(2, places, *out),
    }
    wanted = ["x", "w", "o", *(["b"] if biased else []), *(["m"] if masked else [])]
    n, h, v, p, q = ["N", "H", "W", "P", "Q"] if dynamic else map(str, [2, *image, *out])
    dims = {
        "x": [n, 4, h, v],
        "w": list(feeds["w"].shape),
        "o": [n, 2 * places, p, q],
        "b": [6],
        "m": [n, places, p, q],
    }
    inputs = ", ".join(f"float[{','.join(map(str, dims[name]))}] {name}" for name in wanted)
    bias = "b" if biased else '""'
    names = f"x, w, o, {bias}, m" if masked else f"x, w, o, {bias}" if biased else "x, w, o"
    proto = model_of(
        f"g ({inputs}) => (float[{n},6,{p},{q}] y) {{ y = DeformConv <group = {group}, offset_group = {offset_group}, "
        f"strides = {strides}, dilations = {dilations}, pads = {pads}> ({names}) }}",
        19,
    )
    prove(proto, "OFX743", {name: feeds[name] for name in wanted})


@pytest.mark.parametrize(
    ("dims", "attributes", "block", "told"),
    [
        ("float[1,9,4] x, int64[2] i, int64[2] b) => (float[1,1,5,5] y)", "strides = [2, 2]", [3, 3], True),
        ("float[1,5,5] x, int64[2] i, int64[2] b) => (float[1,1,5,5] y)", "strides = [1, 1]", [1, 5], False),
    ],
)
def test_the_declared_shape_may_tell_the_block(dims: str, attributes: str, block: list[int], told: bool) -> None:
    """The second could have a block of 5 x 1 as well."""
    proto = model_of(f"g ({dims} {{ y = Col2Im <{attributes}> (x, i, b) }}")
    if told:
        prove(proto, "OFX744", {"x": numbers(1, 9, 4), "i": np.array([5, 5]), "b": np.array(block)})
    else:
        assert "block_shape is not a constant" in reason(proto, "OFX744")


def test_a_large_one_hot_needs_the_users_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "MOST_NUMBERS", 10)
    text = (
        "g (float[1,4,3] x) => (float[1,1,4,2] y) <int64[2] i = {4, 2}, int64[2] b = {2, 2}> { y = Col2Im (x, i, b) }"
    )
    assert unsafe(text, "OFX744")


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("OFX744", "g (int32[1,4,3] x) => (int32[1,1,4,2] y) <int64[2] i = {4, 2}, int64[2] b = {2, 2}> "
         "{ y = Col2Im (x, i, b) }", "only floats"),
        ("OFX744", "g (float[1,R,3] x) => (float[1,C,4,2] y) <int64[2] i = {4, 2}, int64[2] b = {2, 2}> "
         "{ y = Col2Im (x, i, b) }", "no multiple"),
        ("OFX745", "g (float[1,1,3] x, float[1,1,K] w) => (float[1,1,O] y) "
         "{ y = ConvTranspose <strides = [2], dilations = [2]> (x, w) }", "size of the kernel"),
        ("OFX743", "g (float[1,C,4,4] x, float[M,C,2,2] w, float[1,8,3,3] o) => (float[1,M,3,3] y) "
         "{ y = DeformConv (x, w, o) }", "number of channels"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(code: str, text: str, expected: str) -> None:
    assert expected in reason(model_of(text, 19), code)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "OFX744",
            "g (float[N,8,6] x) => (float[N,2,A,B] y) <int64[2] i = {6, 4}, int64[2] b = {2, 2}> "
            "{ y = Col2Im <strides = [2, 1], dilations = [1, 1]> (x, i, b) }".replace("6, 4", "4, 4"),
        ),
        (
            "OFX745",
            "g (float[N,2,A,B] x, float[2,2,3,3] w) => (float[N,2,C,D] y) "
            "{ y = ConvTranspose <strides = [2, 2], dilations = [2, 2]> (x, w) }",
        ),
        (
            "OFX743",
            "g (float[N,2,A,B] x, float[2,2,3,3] w, float[N,18,C,D] o) => (float[N,2,C,D] y) "
            "{ y = DeformConv <pads = [1, 1, 1, 1]> (x, w, o) }",
        ),
    ],
)
def test_tensorrt_takes_the_result_only(code: str, text: str) -> None:
    before = model_of(text, 19)
    feeds = {
        "x": numbers(2, 8, 6) if code == "OFX744" else numbers(2, 2, 5, 5),
        "w": numbers(2, 2, 3, 3),
        "o": numbers(2, 18, 5, 5),
    }
    after = prove(before, code, {value.name: feeds[value.name] for value in before.graph.input})
    assert not builds(before)
    assert builds(after)
