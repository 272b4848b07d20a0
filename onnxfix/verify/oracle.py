"""Who computes a model's outputs: the first of three ways that takes the model.

"direct": ONNX Runtime on the file as it is. "pieces": the model cut up, for models that ONNX Runtime refuses for
their opset, or whose asked values are no outputs. "reference": onnx's own reference evaluator, for small models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx

from onnxfix.errors import ModelFileError
from onnxfix.model import Model, external_tensors, load
from onnxfix.model.messages import copied
from onnxfix.model.model import Array
from onnxfix.verify.pieces import Pieces
from onnxfix.verify.runtime import CannotLoad, CannotRun, Session, one_line

WAYS = ("direct", "pieces", "reference")
REFERENCE_NODES = 500
REFERENCE_BYTES = 1 << 26


class Runner(Protocol):
    """A model ready to run."""

    inputs: list[str]

    @property
    def title(self) -> str:
        """What computes the values."""
        ...

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        """The asked outputs by name. Raises CannotLoad or CannotRun."""
        ...


class Oracle:
    """One model file and the way that runs it. `refused` has the reason of every way that did not."""

    def __init__(self, path: Path, outputs: Sequence[str], ways: Sequence[str] = WAYS) -> None:
        self._path, self._outputs, self._ways = path, outputs, list(ways)
        self._model: Model | None = None
        self.refused: list[CannotLoad] = []
        self._runner = self._open()

    @property
    def title(self) -> str:
        """What computes the values."""
        return self._runner.title

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        """The asked outputs by name, by the next way when one turns out not to take the model.

        Raises CannotRun for inputs that the model does not take, CannotLoad when no way is left.
        """
        while True:
            try:
                return self._runner.run(feeds)
            except CannotLoad as reason:
                self.refused.append(reason)
                self._runner = self._open()

    def _open(self) -> Runner:
        while self._ways:
            try:
                return self._try(self._ways.pop(0))
            except CannotLoad as reason:
                self.refused.append(reason)
        raise self.refused[0] if self.refused else CannotLoad("no runtime is left to try")

    def _try(self, way: str) -> Runner:
        if way == "direct":
            return _Direct(self._path, self._outputs)
        try:
            self._model = self._model or load(self._path)
        except ModelFileError as error:
            raise CannotLoad(str(error)) from None
        return (Pieces if way == "pieces" else _Reference)(self._model, self._outputs)


class _Direct:
    title = "ONNX Runtime"

    def __init__(self, path: Path, outputs: Sequence[str]) -> None:
        self._session = Session(path)
        self.inputs = self._session.inputs
        missing = [name for name in outputs if name not in self._session.outputs]
        if missing:
            raise CannotLoad(f"{missing[0]!r} is not an output")
        self._outputs = outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        results = self._session.run(feeds)
        return {name: results[name] for name in self._outputs}


class _Reference:
    title = "the reference evaluator of onnx"

    def __init__(self, model: Model, outputs: Sequence[str]) -> None:
        from onnx.reference import ReferenceEvaluator

        size = sum(model.extent(tensor).length for tensor in external_tensors(model.proto))
        if size > REFERENCE_BYTES or len(model.proto.graph.node) > REFERENCE_NODES:
            raise CannotLoad("the model is too large for the reference evaluator")
        proto = _whole(model)
        told = (*proto.graph.value_info, *proto.graph.output)
        self._declared = {value.name: value.type.tensor_type.elem_type for value in told}
        del proto.graph.output[:]
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        try:
            self._evaluator = ReferenceEvaluator(proto)
        except Exception as error:
            raise CannotLoad(f"the reference evaluator refuses it: {one_line(error)}", missing=True) from None
        stored = {tensor.name for tensor in proto.graph.initializer}
        self.inputs = [value.name for value in proto.graph.input if value.name not in stored]
        self._outputs = outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        try:
            results = self._evaluator.run(None, {name: feeds[name] for name in self.inputs})
        except Exception as error:
            raise CannotRun(f"the reference evaluator refuses it: {one_line(error)}") from None
        named = zip(self._outputs, results, strict=True)
        return {name: _as_declared(value, self._declared.get(name, 0)) for name, value in named}


def _as_declared(value: Any, dtype: int) -> Any:
    """A float result in its declared type: numpy computes some operators of the evaluator in a wider one."""
    if not dtype or not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    wanted = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(dtype))
    return value.astype(wanted) if wanted.kind == "f" else value


def _whole(model: Model) -> onnx.ModelProto:
    """A copy with all weights inside."""
    proto = copied(model.proto)
    for tensor in list(external_tensors(proto)):
        data = model.tensor_bytes(tensor)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = data
    return proto
