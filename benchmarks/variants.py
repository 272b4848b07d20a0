"""Official node cases changed at random: what is stored in the model, element types, sizes, opset.

The facts of onnxfix were found with the official models; these are valid models that nobody looked at.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.cases import Case, node_cases

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
_INTEGERS = (TensorProto.INT64, TensorProto.INT32, TensorProto.INT8, TensorProto.UINT8)
_OPSETS = (21, 17, 13, 11, 9, 7)


def constant(case: Case, random: Random) -> Case:
    """One or all of the inputs but the first become stored tensors."""
    names = [name for name, value in case.inputs.items() if isinstance(value, np.ndarray)][1:]
    chosen = names if random.random() < 0.5 else random.sample(names, min(1, len(names)))
    graph = case.model.graph
    for value in [value for value in graph.input if value.name in chosen]:
        graph.initializer.append(numpy_helper.from_array(case.inputs[value.name], value.name))
        graph.input.remove(value)
    return replace(case, inputs={name: value for name, value in case.inputs.items() if name not in chosen})


def free_sizes(case: Case, random: Random) -> Case:
    """Dimensions of an input, or of all, become free."""
    graph = case.model.graph
    tensors = [value for value in graph.input if value.type.HasField("tensor_type")]
    for value in tensors if random.random() < 0.5 else random.sample(tensors, min(1, len(tensors))):
        dims = value.type.tensor_type.shape.dim
        for number, dim in enumerate(dims):
            if number == 0 or random.random() < 0.3:
                dim.dim_param = f"{value.name}_{number}"
    return case


def other_type(case: Case, random: Random) -> Case:
    """All tensors of one type get another: float among the floats, int64 among the integers."""
    family, source = random.choice(((_FLOATS, TensorProto.FLOAT), (_INTEGERS, TensorProto.INT64)))
    target = random.choice([one for one in family if one != source])
    dtype = helper.tensor_dtype_to_np_dtype(target)
    old = helper.tensor_dtype_to_np_dtype(source)

    def changed(value: Any) -> Any:
        return value.astype(dtype) if isinstance(value, (np.ndarray, np.generic)) and value.dtype == old else value

    graph = case.model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == source:
            value.type.tensor_type.elem_type = target
    for tensor in graph.initializer:
        if tensor.data_type == source:
            tensor.CopyFrom(numpy_helper.from_array(changed(numpy_helper.to_array(tensor)), tensor.name))
    with np.errstate(over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ml_dtypes, about casts to bfloat16
        return replace(case, inputs={name: changed(value) for name, value in case.inputs.items()})


def other_opset(case: Case, random: Random) -> Case:
    """The model says another opset; the checker decides whether it is one of that opset."""
    for entry in case.model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = random.choice(_OPSETS)
    return case


CHANGES: tuple[Callable[[Case, Random], Case], ...] = (constant, free_sizes, other_type, other_opset)


def variants(count: int, seed: int) -> Iterator[Case]:
    """`count` models that the ONNX checker takes (`full_check`), other than each other and than the official ones."""
    random = Random(seed)
    cases = list(node_cases())
    seen = {case.model.SerializeToString(deterministic=True) for case in cases}
    made = 0
    while made < count:
        case = random.choice(cases)
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        case = replace(case, model=model)  # the changes are made in place
        chosen = random.sample(CHANGES, random.choice((1, 1, 2, 3)))
        for change in chosen:
            case = change(case, random)
        _free_results(case.model.graph)
        text = case.model.SerializeToString(deterministic=True)
        if text in seen or not _valid(case.model):
            continue
        seen.add(text)
        made += 1
        yield replace(case, kind="variant", name=f"{made} {case.name} {'+'.join(c.__name__ for c in chosen)}")


def _free_results(graph: onnx.GraphProto) -> None:
    """The declared sizes of the outputs go: they are those of the official case."""
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            for number, dim in enumerate(value.type.tensor_type.shape.dim):
                dim.dim_param = f"{value.name}_{number}"


def _valid(model: onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception:
        return False
    return True
