"""Operators whose meaning changed between two opset versions although their schemas fit each other.

Worked out by going through the schemas and the documentation of every version of every operator of the default
domain (onnx 1.23, opsets 1 to 28).  All other changes of version are wider types, or show in the schema.
The key is the operator and the version at which its meaning changed.  A guard gets the node, and whether the
conversion goes up across that version or down; it answers why the node cannot be taken over as it is, or "".
"""

from __future__ import annotations

from collections.abc import Callable

import onnx

from onnxfix.opset.view import View

Guard = Callable[[View, bool], str]


def _flattened(view: View, _: bool) -> str:
    """Before opset 13 the softmax family works on all axes from `axis` on, since then on the one axis."""
    axis, dims = view.attribute("axis"), view.dims(0)
    if axis == -1:
        return ""
    if dims is None or axis is None:
        return "the rank of its input is unknown, and the meaning of axis changed in opset 13"
    if not -len(dims) <= axis < len(dims):
        return f"axis {axis} lies outside its input of rank {len(dims)}"
    tail = dims[axis % len(dims) + 1 :]
    return "" if all(size == 1 for size in tail) else "the meaning of an axis that is not the last changed in opset 13"


def _equal_shapes(view: View, up: bool) -> str:
    """Going down: without attributes, the older version wants inputs of one shape."""
    if up or len(view.node.input) == 1:
        return ""
    shapes = {view.dims(position) for position in range(len(view.node.input))}
    if len(shapes) == 1 and not any(dims is None or None in dims for dims in shapes):
        return ""
    return "its inputs are not of one known shape, and the older version does not broadcast"


def _slope(view: View, _: bool) -> str:
    """Before opset 7 a slope of rank 1 belongs to the channels (axis 1), since then to the last axis."""
    x, slope = view.dims(0), view.dims(1)
    if slope is not None and all(size == 1 for size in slope) and len(slope) <= 1:
        return ""
    if x is None or slope is None or None in x or None in slope:
        return "the shapes of its input and slope are unknown, and their broadcasting changed in opset 7"
    if x == slope or (len(x) == 2 and slope == x[1:]):
        return ""
    return "the broadcasting of its slope changed in opset 7"


def _trains(view: View, up: bool) -> str:
    if not up:
        return "is_test must be written out"
    return "" if view.attribute("is_test") else "with is_test = 0 it trains, which later versions say in another way"


def _training_outputs(view: View, _: bool) -> str:
    return "it has the outputs of training, whose meaning changed" if len(view.node.output) > 1 else ""


def _mask(view: View, _: bool) -> str:
    return "its mask is in use, and the mask's type or content changed" if view.used(1) else ""


def _always(reason: str) -> Guard:
    return lambda _view, _up: reason


def _only_down(reason: str) -> Guard:
    return lambda _view, up: "" if up else reason


def _split_parts(view: View, up: bool) -> str:
    return "opset 18 wants num_outputs or the sizes of the parts" if up and not view.has(1) else ""


def _scale_per_group(view: View, _: bool) -> str:
    """Before opset 21 scale and bias belong to the groups, since then to the channels; the precision changed too."""
    if view.kind(0).dtype != onnx.TensorProto.FLOAT:
        return "its precision is not stated alike for element types other than float"
    dims, groups = view.dims(0), view.attribute("num_groups")
    channels = dims[1] if dims and len(dims) > 1 else None
    return "" if channels is not None and channels == groups else "scale and bias belong to channels since opset 21"


def _one_scale(view: View, up: bool) -> str:
    if up:
        return ""
    dims = view.dims(1)
    single = dims is not None and all(size == 1 for size in dims)
    return "" if single else "a scale for each slice of an axis exists since opset 13"


def _sampling_names(view: View, up: bool) -> str:
    if view.attribute("mode") != "nearest":
        return "its modes have other names since opset 20"
    dims = view.dims(0)
    return "" if up or (dims is not None and len(dims) == 4) else "its input is not known to have rank 4"


def _odd_padding(view: View, _: bool) -> str:
    automatic = view.attribute("auto_pad") not in ("NOTSET", "VALID")
    given = view.attribute("output_shape")
    return "the side of an odd padding changed in opset 11: give pads" if automatic or given else ""


def _last_window(view: View, _: bool) -> str:
    """Since opset 22 a pooling window that would start in the padding at the end is left out."""
    if view.attribute("auto_pad") != "NOTSET":
        return ""
    kernel = view.attribute("kernel_shape")
    if kernel is None:
        return "kernel_shape is not known"
    spatial = len(kernel)
    strides = view.attribute("strides") or [1] * spatial
    dilations = view.attribute("dilations") or [1] * spatial
    ends = (view.attribute("pads") or [0] * 2 * spatial)[spatial:]
    for size, stride, dilation, end in zip(kernel, strides, dilations, ends, strict=True):
        beyond = end + (stride - 1 if view.attribute("ceil_mode") else 0)
        if beyond > dilation * (size - 1):
            return "a window may start in the padding at the end, which opset 22 leaves out"
    return ""


def _counted_padding(view: View, _: bool) -> str:
    both = view.attribute("ceil_mode") and view.attribute("count_include_pad")
    return "ceil_mode with count_include_pad is computed differently since opset 19" if both else ""


def _float8(view: View, _: bool) -> str:
    """The value of infinity in the FNUZ types changed in opset 24."""
    types = (onnx.TensorProto.FLOAT8E4M3FNUZ, onnx.TensorProto.FLOAT8E5M2FNUZ)
    target = view.attribute("to") if view.node.op_type == "Cast" else view.kind(1).dtype
    if not target:
        return "the type it casts to is not known"
    return "infinity in FNUZ types became another value in opset 24" if target in types else ""


def _half_range(view: View, _: bool) -> str:
    half = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, 0)
    return "half precision is accumulated differently since opset 27" if view.kind(0).dtype in half else ""


def _float_mod(view: View, up: bool) -> str:
    integers = {*range(2, 8), 12, 13}  # TensorProto: UINT8 … INT64, UINT32, UINT64
    if up or view.attribute("fmod") == 1 or view.kind(0).dtype in integers:
        return ""
    return "fmod = 0 is for integers only before opset 28"


def _negative_indices(view: View, up: bool) -> str:
    values = view.constant(1 if view.node.op_type == "Gather" else 0)
    if up or (values is None and view.node.op_type == "Gather"):
        return ""
    known = values is not None and bool((values >= 0).all())
    return "" if known else "its indices may be negative, which counts from the end only since opset 11"


def _short_mask(view: View, up: bool) -> str:
    mask, keys = view.dims(3), view.dims(1)
    whole = bool(mask and keys and not view.has(4) and isinstance(mask[-1], int) and mask[-1] == keys[-2])
    return "" if up or whole or not view.has(3) else "its mask may be shorter than the sequence since opset 24"


def _wide_shift(view: View, up: bool) -> str:
    amount = view.constant(1)
    inside = amount is not None and bool(((amount >= 0) & (amount < 8 * amount.dtype.itemsize)).all())
    return "" if up or inside else "shifts by the width of the type or more are defined only since opset 28"


MEANING: dict[tuple[str, int], Guard] = {
    **{(name, 13): _flattened for name in ("Softmax", "LogSoftmax", "Hardmax")},
    **{(name, 7): _equal_shapes for name in ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal")},
    **{(name, 7): _equal_shapes for name in ("Greater", "Less")},
    **{(name, 8): _equal_shapes for name in ("Sum", "Max", "Min", "Mean")},
    ("PRelu", 7): _slope,
    ("Gemm", 7): _only_down("C may be broadcast since opset 7"),
    ("BatchNormalization", 7): _trains,
    ("BatchNormalization", 14): _training_outputs,
    ("Dropout", 7): _trains,
    ("Dropout", 10): _mask,
    ("Dropout", 12): _mask,
    ("Split", 18): _split_parts,
    ("Scan", 9): _always("it has a batch axis before opset 9 and none since"),
    ("Resize", 11): _always("its coordinates are computed differently since opset 11"),
    ("RoiAlign", 16): _always("its boxes are shifted by half a pixel by default since opset 16"),
    ("DFT", 20): _always("its axis is an attribute before opset 20, an input since, with another default"),
    ("GroupNormalization", 21): _scale_per_group,
    ("QuantizeLinear", 13): _one_scale,
    ("DequantizeLinear", 13): _one_scale,
    ("GridSample", 20): _sampling_names,
    ("ConvTranspose", 11): _odd_padding,
    ("AveragePool", 19): _counted_padding,
    ("AveragePool", 22): _last_window,
    ("MaxPool", 22): _last_window,
    ("Cast", 24): _float8,
    ("CastLike", 24): _float8,
    ("Range", 27): _half_range,
    ("Mod", 28): _float_mod,
    ("BitShift", 28): _wide_shift,
    ("Gather", 11): _negative_indices,
    ("OneHot", 11): _negative_indices,
    ("Attention", 24): _short_mask,
}

# (operator, attribute, version): values that exist only since that version, or only before it.
NEW_VALUES: dict[tuple[str, str, int], frozenset[str]] = {
    ("Pad", "mode", 19): frozenset({"wrap"}),
    ("ScatterElements", "reduction", 18): frozenset({"max", "min"}),
    ("ScatterND", "reduction", 18): frozenset({"max", "min"}),
    ("Resize", "coordinate_transformation_mode", 19): frozenset({"half_pixel_symmetric"}),
}
OLD_VALUES: dict[tuple[str, str, int], frozenset[str]] = {
    ("Resize", "coordinate_transformation_mode", 13): frozenset({"tf_half_pixel_for_nn"}),
}

# Attributes that never changed a result: hints about memory in opsets 1 to 5.
HINTS = frozenset({"consumed_inputs"})

# Defaults that were added or corrected without changing what an absent attribute means.
SAME_ABSENT = frozenset({("Clip", "min"), ("Clip", "max")})

# Operators whose axis may be negative only since opset 11.
NEGATIVE_AXES = frozenset(
    {
        *("ArgMax", "ArgMin", "Compress", "Concat", "Flatten", "Hardmax", "LogSoftmax", "OneHot", "Softmax", "Split"),
        *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
        *("ReduceProd", "ReduceSum", "ReduceSumSquare", "Squeeze", "Unsqueeze"),
    }
)
