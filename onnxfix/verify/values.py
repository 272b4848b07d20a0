"""Values for a model's inputs: seeded ones, or recorded ones from a .npz file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix.errors import OnnxfixError
from onnxfix.model import Model
from onnxfix.model.model import Array
from onnxfix.verify.inputs import InputSpec
from onnxfix.verify.lists import elements_of, gathered
from onnxfix.verify.sizes import Sizes, resolve

_WORDS = np.array(["", "one", "two words", "üñí", "4"], dtype=object)


def seeded(specs: Sequence[InputSpec], sizes: Sizes, seed: int, *, gentle: bool = False) -> dict[str, Array]:
    """Values for every input: floats are normal, integers small and legal, strings a few words.

    `gentle` floats lie in [1, 2) and gentle integers are 0 or 1: for graphs that compute a size, a scale or an index
    from them.
    """
    random = np.random.default_rng(seed)
    values = {spec.name: _values(spec, sizes, random) for spec in specs}
    return {spec.name: _gentle(spec, values[spec.name], random) for spec in specs} if gentle else values


def _gentle(spec: InputSpec, array: Array, random: np.random.Generator) -> Array:
    if array.dtype.kind == "f" and not spec.exact:
        return np.asarray(random.uniform(1, 2, array.shape)).astype(array.dtype)
    free = array.dtype.kind in "iu" and not spec.form and not spec.exact and spec.low <= 0
    return np.abs(array) % array.dtype.type(2) if free else array


def _values(spec: InputSpec, sizes: Sizes, random: np.random.Generator) -> Array:
    shape = tuple(resolve(dim, sizes) or 0 for dim in spec.dims)
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(spec.dtype))
    if spec.exact and np.prod(shape, dtype=np.int64) == len(spec.exact):
        return np.asarray(spec.exact, dtype=dtype).reshape(shape)
    if spec.form and len(shape) == 1:
        return np.asarray(_fitting(spec, shape[0], sizes), dtype=dtype)
    if spec.dtype == onnx.TensorProto.STRING:
        return np.asarray(random.choice(_WORDS, shape), dtype=object)
    if spec.dtype == onnx.TensorProto.BOOL:
        return np.asarray(random.integers(0, 2, shape), dtype=bool)
    if dtype.kind in "iu":
        limits = [resolve(limit, sizes) or 1 for limit in spec.limits]
        return np.asarray(random.integers(spec.low, max(min([spec.high, *limits]), spec.low + 1), shape), dtype=dtype)
    if dtype.kind == "c":
        return np.asarray(random.normal(size=shape) + 1j * random.normal(size=shape), dtype=dtype)
    return np.asarray(random.normal(size=shape), dtype=np.float64).astype(dtype)


def _fitting(spec: InputSpec, length: int, sizes: Sizes) -> list[float]:
    """A vector of that length that fits a tensor with the dims `spec.limits`; Resize doubles the last two axes."""
    known = [resolve(dim, sizes) for dim in spec.limits]
    dims = [1 if dim is None else dim for dim in known]
    factors = [2 if axis >= max(length - 2, 1) else 1 for axis in range(length)]
    match spec.form:
        case "axes":
            return [float(axis) for axis in range(length)]
        case "scales":
            return [float(factor) for factor in factors]
        case "reshape":
            return [1.0] * (length - 1) + [-1.0] * min(length, 1)
        case "grid":  # the batch of theta, channels, and any sizes
            return [float(dims[0]), *(float(size) for size in range(2, length + 1))]
        case "parts":
            part = dims[0] // max(length, 1)
            return [float(part)] * (length - 1) + [float(dims[0] - part * (length - 1))] * min(length, 1)
    dims = dims[-length:] if len(dims) >= length else [1] * length
    return [float(dim * factor) for dim, factor in zip(dims, factors, strict=True)]


def recorded_inputs(path: Path, model: Model, frozen: Mapping[str, Array] | None = None) -> dict[str, Any]:
    """The values of every input that a caller must feed: those given as `frozen`, and recorded ones for the others.

    The elements of a sequence `x` are the arrays `x[0]`, `x[1]` and so on; an optional without an array is empty.
    Raises as `recorded` does.
    """
    graph, given = model.proto.graph, dict(frozen or {})
    stored = {tensor.name for tensor in graph.initializer}
    wanted = [value for value in graph.input if value.name not in stored and value.name not in given]
    arrays = {name: array for name, array in read_arrays(path).items() if name not in given}
    _refuse_unlike(arrays, wanted, str(path))
    lists = gathered(arrays, wanted)
    taken = {*lists, *(name for value in lists for name in elements_of(value, arrays))}
    plain = {name: array for name, array in arrays.items() if name not in taken}
    tensors = [value for value in wanted if value.name not in lists]
    return fitted(plain, tensors, str(path), [f"{name}[0] …" for name in lists]) | lists | given


def _refuse_unlike(arrays: dict[str, Array], inputs: Sequence[onnx.ValueInfoProto], where: str) -> None:
    """Raises OnnxfixError for a sequence that is given as one array, and for elements of another type or shape."""
    for value in inputs:
        if not value.type.HasField("sequence_type"):
            continue
        if value.name in arrays:
            hint = f"name its elements {value.name}[0], {value.name}[1] and so on"
            raise OnnxfixError(f"has one array for the sequence {value.name!r}", where=where, hint=hint)
        for name in elements_of(value.name, arrays):
            element = onnx.ValueInfoProto(name=name, type=value.type.sequence_type.elem_type)
            if element.type.HasField("tensor_type"):
                arrays[name] = _checked(arrays[name], element, where, {})


def recorded(path: Path, inputs: Sequence[onnx.ValueInfoProto]) -> dict[str, Array]:
    """Values from a .npz file whose arrays are named as the inputs.

    Raises OnnxfixError for a file that cannot be read and for arrays that are missing, unknown, or of another
    type or shape than the input.
    """
    return fitted(read_arrays(path), inputs, str(path))


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file by name. Raises OnnxfixError for a file that cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        raise _unreadable(path, error) from None
    except (ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        hint = "numpy.savez writes one, without object arrays"
        raise OnnxfixError(f"is not a readable .npz file: {error}", where=str(path), hint=hint) from None


def _unreadable(path: Path, error: OSError) -> OnnxfixError:
    """The one line for a file that is not there, a folder, or another's."""
    return OnnxfixError(f"cannot be read: {error.strerror or error}", where=str(path))


def read_array(path: Path) -> Array:
    """The array of a .npy file. Raises OnnxfixError for a file that cannot be read."""
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise _unreadable(path, error) from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise OnnxfixError(f"is not a readable .npy file: {error}", where=str(path)) from None
    if not isinstance(array, np.ndarray):
        raise OnnxfixError("holds several arrays", where=str(path), hint="give it as --inputs")
    return array


def fitted(
    arrays: Mapping[str, Array], inputs: Sequence[onnx.ValueInfoProto], where: str, more: Sequence[str] = ()
) -> dict[str, Array]:
    """The arrays as a runtime wants them; `where` is the file that they are from, `more` names others that it may have.

    Raises as `recorded` does.
    """
    names = {value.name for value in inputs}
    known = ", ".join((*sorted(names), *more))
    hint = f"name the arrays as the inputs: {known}" if known else "the model has no inputs"
    if missing := sorted(names - set(arrays)):
        raise OnnxfixError(f"has no array for input {missing[0]!r}", where=where, hint=hint)
    if unknown := sorted(set(arrays) - names):
        raise OnnxfixError(f"has the array {unknown[0]!r}, which is no input", where=where, hint=hint)
    named: Sizes = {}
    return {value.name: _checked(arrays[value.name], value, where, named) for value in inputs}


def _checked(array: Array, value: onnx.ValueInfoProto, where: str, named: Sizes) -> Array:
    """The array as the runtime wants it. `named` has the dimension names seen so far, and gets those of this input."""
    kind = value.type.tensor_type
    text = kind.elem_type == onnx.TensorProto.STRING
    dtype = np.dtype(object if text else onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    if text and array.dtype.kind in "US":
        array = array.astype(object)
    if array.dtype.kind == "V" and array.dtype.itemsize == dtype.itemsize:  # .npz keeps only the bits of bfloat16
        array = array.view(dtype)
    if array.dtype != dtype:
        raise OnnxfixError(
            f"the array {value.name!r} is {_dtype(array.dtype)} and the input is {_dtype(dtype)}", where=where
        )
    if kind.HasField("shape") and not _shape_fits(array, kind.shape, named):
        dims = ", ".join(str(d.dim_value) if d.HasField("dim_value") else _name(d, named) for d in kind.shape.dim)
        raise OnnxfixError(
            f"the array {value.name!r} has the shape {list(array.shape)} and the input is [{dims}]", where=where
        )
    return array


def _dtype(dtype: np.dtype[Any]) -> str:
    """The type by numpy's name, as the array is to have it."""
    return "texts" if dtype.hasobject or dtype.kind in "SU" else dtype.name


def _shape_fits(array: Array, shape: onnx.TensorShapeProto, named: Sizes) -> bool:
    if array.ndim != len(shape.dim):
        return False
    for size, dim in zip(array.shape, shape.dim, strict=True):
        if dim.HasField("dim_value") and dim.dim_value > 0 and dim.dim_value != size:
            return False
        if dim.dim_param and named.setdefault(dim.dim_param, size) != size:
            return False
    return True


def _name(dim: onnx.TensorShapeProto.Dimension, named: Sizes) -> str:
    return f"{dim.dim_param}={named[dim.dim_param]}" if dim.dim_param in named else dim.dim_param or "?"
