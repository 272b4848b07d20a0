"""Operators of other domains that no runtime has without its own library, as the standard operators that they are."""

from __future__ import annotations

import onnx

_SAMPLERS = ("mmcv", "mmdeploy")
_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")
"""What the numbers of mode and padding mean in PyTorch's grid_sampler, which mmcv and mmdeploy export as they are."""


def standard_form(node: onnx.NodeProto, opset: int) -> onnx.NodeProto:
    """The node itself, or for grid_sampler of mmcv and mmdeploy the standard's GridSample.

    Since opset 20 that calls its modes linear and cubic; an opset below 16 does not have it.
    """
    if node.domain not in _SAMPLERS or node.op_type != "grid_sampler":
        return node
    given = {attribute.name: attribute.i for attribute in node.attribute}
    mode, padding = given.get("interpolation_mode", 0), given.get("padding_mode", 0)
    if not (0 <= mode < len(_MODES) and 0 <= padding < len(_PADDINGS)):
        return node
    name = _MODES[mode].removeprefix("bi") if opset >= 20 else _MODES[mode]
    align = given.get("align_corners", 0)
    return onnx.helper.make_node(
        "GridSample",
        node.input,
        node.output,
        node.name,
        mode=name,
        padding_mode=_PADDINGS[padding],
        align_corners=align,
    )
