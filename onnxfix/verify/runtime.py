"""ONNX Runtime as a reference: CPU only, no graph optimization, plain numpy arrays in and out."""

from __future__ import annotations

import ctypes
import mmap
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix.model.model import Array

_MESSAGE_LENGTH = 300


class CannotLoad(Exception):
    """A runtime refuses the model itself. `missing` when it only lacks a kernel or an operator."""

    def __init__(self, reason: str, *, missing: bool = False) -> None:
        self.missing = missing
        super().__init__(reason)


class CannotRun(Exception):
    """A runtime took the model and refuses these inputs."""


_BY_THREADS = b"DynamicQuantizeLSTM"
"""Its kernel quantizes the hidden state of each thread's share of the batch apart (ONNX Runtime 1.32): only with one
thread are the numbers those of the machine next door."""


class Session:
    """One loaded model; `inputs` are the names that it wants fed."""

    def __init__(self, model: Path | bytes) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        # Idle threads of one piece must not spin while another piece computes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.intra_op_num_threads = int(_mentions(model, _BY_THREADS))  # 0: as many as there are cores
        try:
            self._session = ort.InferenceSession(
                model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise CannotLoad(one_line(error), missing=_is_missing(error)) from None
        self.inputs = [value.name for value in self._session.get_inputs()]
        self.outputs = [value.name for value in self._session.get_outputs()]
        values = [*self._session.get_inputs(), *self._session.get_outputs()]
        self._unusual = any(re.search(r"bfloat16|float8|float4|int4|int2", value.type) for value in values)

    def run(self, feeds: Mapping[str, Array], only: Sequence[str] | None = None) -> dict[str, Any]:
        """The outputs by name: arrays, or lists of arrays for sequences; with `only` no others are kept in memory.

        Raises CannotRun, or CannotLoad late.
        """
        wanted = {name: feeds[name] for name in self.inputs}
        asked = self.outputs if only is None else list(only)
        try:
            results = self._run_unusual(asked, wanted) if self._unusual else self._session.run(asked, wanted)
        except Exception as error:
            if re.search(r"is not supported now", str(error)):  # the kernel lacks this form of the operator
                raise CannotLoad(one_line(error), missing=True) from None
            raise CannotRun(one_line(error)) from None
        return dict(zip(asked, results, strict=True))

    def _run_unusual(self, asked: Sequence[str], feeds: Mapping[str, Array]) -> Sequence[Any]:
        values = {name: _to_value(array) for name, array in feeds.items()}
        return [_from_value(value) for value in self._session.run_with_ort_values(asked, values)]


def _mentions(model: Path | bytes, word: bytes) -> bool:
    if isinstance(model, bytes):
        return word in model
    if not model.is_file() or not model.stat().st_size:
        return False
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(word) >= 0


def one_line(error: Exception) -> str:
    """The message of an error without ONNX Runtime's prefixes and file, on one line of at most 300 characters."""
    text = re.sub(r"^\s*\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : (Load model from .*? failed:)?", "", str(error))
    text = re.sub(
        r"^Non-zero status code returned while running (\w+) node. Name:'(.*?)' Status Message: ", r"\1 \2: ", text
    )
    return " ".join(text.split())[:_MESSAGE_LENGTH] or type(error).__name__


def _is_missing(error: Exception) -> bool:
    return type(error).__name__ == "NotImplemented" or bool(
        re.search(r"is not a registered function/op|is under development|Unsupported model IR version", str(error))
    )


def _to_value(array: Array) -> Any:
    """An OrtValue; the types that numpy lacks travel as their bits."""
    import onnxruntime as ort

    if array.dtype.kind != "V" and array.dtype.isbuiltin == 1:
        return ort.OrtValue.ortvalue_from_numpy(array)
    tensor = onnx.numpy_helper.from_array(array)  # packs what is smaller than a byte
    value = ort.OrtValue.ortvalue_from_shape_and_type(list(array.shape), tensor.data_type)
    ctypes.memmove(value.data_ptr(), tensor.raw_data, len(tensor.raw_data))
    return value


def _from_value(value: Any) -> Any:
    kind = value.element_type()
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind))
    if dtype.isbuiltin == 1 or dtype.kind == "O":
        return value.numpy()
    data = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    return onnx.numpy_helper.to_array(onnx.TensorProto(data_type=kind, dims=value.shape(), raw_data=data))
