"""Do a model's outputs equal the recorded ones?  Runs in the sandbox."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx


def matches(path: str, inputs: dict[str, Any], outputs: dict[str, Any], rtol: float, atol: float) -> str:
    """ "" when they do, else why not.  ONNX Runtime runs the model, or onnx.reference where it cannot load it."""
    inputs, outputs = mapped(path, inputs, outputs)
    try:
        results = _runtime(path, inputs, list(outputs))
    except Exception as first:
        try:
            results = _reference(path, inputs, list(outputs))
        except Exception as second:
            return f"runs nowhere: {str(first)[:120]} / {str(second)[:120]}"
    for name, result in zip(outputs, results, strict=True):
        reason = _difference(outputs[name], result, rtol, atol)
        if reason:
            return f"{name}: {reason}"
    return ""


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """Arrays by name; the elements of a sequence are name[0], name[1] and so on, an empty optional is left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, list):
            found |= flat({f"{name}[{place}]": item for place, item in enumerate(value)})
        elif value is not None:
            found[name] = np.asarray(value)
    return found


def mapped(path: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and outputs as the model has them: sequences may have become tensors, and types may be others."""
    graph = onnx.load(path, load_external_data=False).graph
    inputs = {name: np.asarray(v) if isinstance(v := plain(value), np.generic) else v for name, value in inputs.items()}
    made = {value.name for value in graph.output}
    outputs = outputs if made >= outputs.keys() else flat({name: plain(value) for name, value in outputs.items()})
    inputs = {**flat(inputs), **inputs}
    for value in graph.input:
        dtype = value.type.tensor_type.elem_type
        array = inputs.get(value.name)
        if dtype and isinstance(array, np.ndarray) and array.dtype.kind in "biufV":
            inputs[value.name] = array.astype(onnx.helper.tensor_dtype_to_np_dtype(dtype))
    return inputs, outputs


def plain(value: Any) -> Any:
    """Values of types that numpy lacks are recorded as TensorProto."""
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _runtime(path: str, inputs: dict[str, Any], names: list[str]) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    results: list[Any] = session.run(names, {name: value for name, value in inputs.items() if name in wanted})
    return results


def _reference(path: str, inputs: dict[str, Any], names: list[str]) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(path)
    wanted = {value.name for value in model.graph.input}
    results = ReferenceEvaluator(model).run(names, {n: v for n, v in inputs.items() if n in wanted})
    return list(results)


def _difference(expected: Any, actual: Any, rtol: float, atol: float) -> str:
    if expected is None or actual is None:
        return "" if expected is actual else "an optional is empty"
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return "another length"
        return next(filter(None, (_difference(e, a, rtol, atol) for e, a in zip(expected, actual, strict=True))), "")
    expected, actual = np.asarray(plain(expected)), np.asarray(actual)
    if expected.shape != actual.shape:
        return f"shape {actual.shape}, recorded {expected.shape}"
    if expected.dtype.kind in "OUS":
        return "" if np.array_equal(expected.astype(str), actual.astype(str)) else "other strings"
    if expected.dtype.kind in "biu":
        return "" if np.array_equal(expected, actual) else "other integers"
    if expected.dtype.kind == "V" or expected.dtype.name.startswith(("bfloat", "float8", "float4", "int4", "uint4")):
        expected, actual = expected.astype(np.float32), actual.astype(np.float32)
    close = np.allclose(actual, expected, rtol=max(rtol, 1e-3), atol=max(atol, 1e-6), equal_nan=True)
    return "" if close else f"differs by {np.nanmax(np.abs(actual - expected)):.3g}"
