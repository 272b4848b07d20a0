"""Computing the outputs of nodes whose inputs are known; runs in the sandbox."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from onnxfix.model.messages import copied


def evaluate(data: bytes) -> dict[str, Any]:
    """Every output of every node of a model without inputs, as arrays by name.

    ONNX Runtime computes them all at once; where it refuses the model, ONNX's reference implementation computes node
    by node.  What neither can compute, and what is no tensor of numbers, is left out.
    """
    model = onnx.ModelProto.FromString(data)
    try:
        values = _with_runtime(model)
    except Exception:
        values = _with_reference(model)
    return {name: value for name, value in values.items() if _is_numeric(value)}


def _with_runtime(model: onnx.ModelProto) -> dict[str, Any]:
    import onnxruntime

    whole = copied(model)
    names = [name for node in model.graph.node for name in node.output if name]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {}), strict=True))


def _with_reference(model: onnx.ModelProto) -> dict[str, Any]:
    from onnx.reference import ReferenceEvaluator

    values: dict[str, Any] = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    computed: dict[str, Any] = {}
    for node in model.graph.node:
        if any(name and name not in values for name in node.input):
            continue
        try:
            inputs = [onnx.ValueInfoProto(name=name) for name in dict.fromkeys(node.input) if name]
            outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
            single = onnx.helper.make_model(
                onnx.helper.make_graph([node], "one", inputs, outputs), opset_imports=model.opset_import
            )
            results = ReferenceEvaluator(single).run(None, {v.name: values[v.name] for v in inputs})
        except Exception:
            continue
        found = {value.name: result for value, result in zip(outputs, results, strict=True)}
        computed.update(found)
        values.update(found)
    return computed


def _is_numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) and np.asarray(value).dtype.kind in "biufcV"
