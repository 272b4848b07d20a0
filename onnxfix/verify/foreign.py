"""Operators of other domains that no runtime has without its own library, as the reference evaluator may run them."""

from __future__ import annotations

from typing import Any

MODES = ("linear", "nearest", "cubic")
PADDINGS = ("zeros", "border", "reflection")
"""The numbers of mode and padding in PyTorch's grid_sampler, which mmcv and mmdeploy export as they are."""


def foreign_operators() -> list[Any]:
    """grid_sampler of mmcv and of mmdeploy, each the standard's GridSample with numbers for modes."""
    from onnx.reference.ops.op_grid_sample import GridSample

    class Sampler(GridSample):
        def _run(
            self, x: Any, grid: Any, interpolation_mode: int = 0, padding_mode: int = 0, align_corners: int = 0
        ) -> Any:
            modes = MODES[interpolation_mode], PADDINGS[padding_mode], align_corners
            return super()._run(x, grid, *modes)  # type: ignore[no-untyped-call]

    return [type("grid_sampler", (Sampler,), {"op_domain": domain}) for domain in ("mmcv", "mmdeploy")]
