"""Models of one com.microsoft node, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from onnxfix.model.model import Array

ABSENT = np.zeros(0, dtype=np.float32)


def one_node(
    op_type: str,
    inputs: dict[str, Array],
    outputs: Mapping[str, Sequence[int | str]],
    opset: int = 17,
    stored: tuple[str, ...] = (),
    domain: str = "com.microsoft",
    version: int = 1,
    **attributes: Any,
) -> onnx.ModelProto:
    """The model.  An input whose name starts with "_" is absent, one that is `stored` is a constant.

    Outputs are of the first input's type, unless their names start with "i" (int64).
    """
    names = ["" if name.startswith("_") else name for name in inputs]
    node = onnx.helper.make_node(op_type, names, list(outputs), domain=domain, **attributes)
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in inputs.items()}
    given = [
        onnx.helper.make_tensor_value_info(name, kinds[name], array.shape)
        for name, array in inputs.items()
        if name in names and name not in stored
    ]
    first = next(iter(kinds.values()))
    kept = [onnx.numpy_helper.from_array(inputs[name], name) for name in stored]
    made = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64 if name.startswith("i") else first, shape)
        for name, shape in outputs.items()
    ]
    graph = onnx.helper.make_graph([node], "g", given, made, kept)
    imports = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid(domain, version)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 21 else 10)


def fed(inputs: dict[str, Array], *stored: str) -> dict[str, Array]:
    """The inputs that a caller feeds."""
    return {name: array for name, array in inputs.items() if not name.startswith("_") and name not in stored}


def normal(*shape: int) -> Array:
    """Seeded numbers."""
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
