"""The official ONNX conformance models with their recorded inputs and outputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

FOLDERS = ("simple", "light", "pytorch-converted", "pytorch-operator")
"""Folders of onnx/backend/test/data that hold whole models; `light` keeps its weights in the code of onnx."""


@dataclass(frozen=True)
class Case:
    """One model and one set of inputs and outputs, by name; `outputs` is empty when none are recorded."""

    name: str
    kind: str
    model: onnx.ModelProto
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    rtol: float = 1e-3
    atol: float = 1e-7


def node_cases() -> Iterator[Case]:
    """The 1,884 node cases (onnx 1.23.2), built by onnx itself."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    for case in found:
        if case.model is not None and case.data_sets:
            inputs, outputs = case.data_sets[0]
            yield _case(case.name, "node", case.model, inputs, outputs, case.rtol, case.atol)


def folder_cases() -> Iterator[Case]:
    """The 149 models of the simple, light, pytorch-converted and pytorch-operator folders."""
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    for kind in FOLDERS:
        for folder in sorted((data / kind).iterdir()):
            path = folder if folder.suffix == ".onnx" else folder / "model.onnx"
            if path.exists():
                yield _from_folder(kind, path)


def _from_folder(kind: str, path: Path) -> Case:
    model = onnx.load(path)
    sets = sorted(path.parent.glob("test_data_set_*"))
    name = path.stem if kind == "light" else path.parent.name
    if not sets or kind == "light":
        return Case(name, kind, model, {}, {})
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    given = [value for value in graph.input if value.name not in weights]
    inputs = [_value(sets[0] / f"input_{n}.pb", value) for n, value in enumerate(given)]
    outputs = [_value(sets[0] / f"output_{n}.pb", value) for n, value in enumerate(graph.output)]
    return _case(name, kind, model, inputs, outputs)


def _value(path: Path, value: onnx.ValueInfoProto) -> Any:
    data = path.read_bytes()
    if value.type.WhichOneof("value") == "sequence_type":
        return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if value.type.WhichOneof("value") == "optional_type":
        return onnx.numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(data))


def _case(
    name: str, kind: str, model: onnx.ModelProto, inputs: Any, outputs: Any, rtol: float = 1e-3, atol: float = 1e-7
) -> Case:
    weights = {tensor.name for tensor in model.graph.initializer}
    given = [value.name for value in model.graph.input if value.name not in weights]
    if len(given) != len(inputs):
        given = [value.name for value in model.graph.input]
    made = [value.name for value in model.graph.output]
    return Case(name, kind, model, _named(given, inputs), _named(made, outputs), rtol, atol)


def _named(names: list[str], values: Any) -> dict[str, Any]:
    """By name; some cases record fewer values than the model has (absent optional inputs)."""
    if isinstance(values, dict):
        return dict(values)
    return dict(zip(names, values, strict=False))
