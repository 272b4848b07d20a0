"""Repaired models kept for a run on a GPU, with their recorded inputs and outputs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.cases import Case
from benchmarks.recorded import mapped


def rules_of(path: Path) -> list[str]:
    """The codes of the rules that a repaired model's journal names."""
    entries = onnx.load(path, load_external_data=False).metadata_props if path.exists() else []
    text = next((entry.value for entry in entries if entry.key == "onnxfix"), "")
    return sorted({fix["code"] for fix in json.loads(text)["fixes"]}) if text else []


def keep_model(case: Case, path: Path, goal: Path) -> None:
    """A copy of a rescued model, with its recorded inputs and outputs as `benchmarks.gpu --models` takes them."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    inputs, outputs = mapped(str(path), case.inputs, case.outputs)
    graph = onnx.load(path).graph
    arrays = {f"in:{value.name}": inputs[value.name] for value in graph.input if value.name in inputs}
    arrays |= {f"out:{v.name}": of_type(outputs[v.name], v) for v in graph.output if v.name in outputs}
    if all(isinstance(value, np.ndarray | np.generic) for value in arrays.values()):
        shutil.copy(path, goal)
        np.savez(goal.with_suffix(".npz"), **{name: bits(np.asarray(value)) for name, value in arrays.items()})


def of_type(array: Any, value: onnx.ValueInfoProto) -> Any:
    """Recorded numbers in the element type that the model has now."""
    dtype = value.type.tensor_type.elem_type
    numbers = isinstance(array, np.ndarray | np.generic) and array.dtype.kind in "biuf" and bool(dtype)
    return np.asarray(array).astype(onnx.helper.tensor_dtype_to_np_dtype(dtype)) if numbers else array


def bits(array: Any) -> Any:
    """Types that numpy lacks (bfloat16 ...) as bytes of their size."""
    return array.view(f"V{array.itemsize}") if array.dtype.isbuiltin == 2 else array
