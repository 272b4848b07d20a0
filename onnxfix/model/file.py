"""From a file to a Model: every way in which a file is not an ONNX model has its own line."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from onnxfix.errors import ModelFileError
from onnxfix.model.model import Model, place_of
from onnxfix.model.wire import SELF, Buffer, WireError, strip

_SIGNATURES = (
    (b"version https://git-lfs", "a Git-LFS pointer, not the model itself", "run `git lfs pull`"),
    (b"PK\x03\x04", "a zip archive, such as a PyTorch checkpoint", "export it to ONNX first"),
    (b"\x89HDF", "an HDF5 file, such as a Keras model", "export it to ONNX first"),
    (b"ftrt", "a TensorRT plan file", "a plan cannot be repaired; repair the ONNX file and build again"),
    (b"ptrt", "a TensorRT plan file", "a plan cannot be repaired; repair the ONNX file and build again"),
    (b"<!DOCTYPE", "an HTML page, perhaps a failed download", "download the model again"),
    (b"<html", "an HTML page, perhaps a failed download", "download the model again"),
)


def load(source: str | Path | onnx.ModelProto) -> Model:
    """Read a model without reading its weights; a ModelProto is taken as it is and never changed.

    Raises ModelFileError, one line, for anything that is not a readable ONNX model: a missing, empty, truncated
    or foreign file, or external data that is missing or lies outside the model's folder.
    """
    if isinstance(source, onnx.ModelProto):
        data = source.SerializeToString()
        return Model(_decode(data, "model"), None, data)
    path = Path(source)
    buffer = _mapped(path)
    model = Model(_decode(buffer, str(path)), path, buffer)
    _check_external_data(model)
    return model


def _mapped(path: Path) -> mmap.mmap:
    where = str(path)
    try:
        if path.is_dir():
            raise ModelFileError("is a folder, not an ONNX file", where=where, hint="name the .onnx file in it")
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise ModelFileError("is empty", where=where, hint="export or download the model again")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ModelFileError("no such file", where=where) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelFileError(f"cannot be read: {reason}", where=where) from None


def _decode(buffer: Buffer, where: str) -> onnx.ModelProto:
    try:
        proto = onnx.ModelProto.FromString(strip(buffer))
    except (WireError, DecodeError) as error:
        raise _not_a_model(buffer, where, str(error)) from None
    if not proto.HasField("graph"):
        raise _not_a_model(buffer, where, "it holds no graph")
    return proto


def _not_a_model(buffer: Buffer, where: str, reason: str) -> ModelFileError:
    head = bytes(buffer[:1024])
    for signature, what, hint in _SIGNATURES:
        if head.startswith(signature):
            return ModelFileError(f"is {what}", where=where, hint=hint)
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return ModelFileError("is a text file, not an ONNX model", where=where, hint="name the .onnx file")
    if head[:1] == b"\x08":  # the ir_version that opens every ModelProto
        return ModelFileError(f"is truncated or damaged: {reason}", where=where, hint="copy or export it again")
    return ModelFileError(f"is not an ONNX model: {reason}", where=where, hint="export or download it again")


def _check_external_data(model: Model) -> None:
    seen: set[str] = set()
    for tensor in external_tensors(model.proto):
        location = place_of(tensor)[0]
        if location != SELF and location not in seen:
            _check_location(model, tensor.name, location)
            seen.add(location)


def _check_location(model: Model, tensor: str, location: str) -> None:
    assert model.path is not None
    folder = model.path.parent
    path = folder / location
    if not location or Path(location).is_absolute() or ".." in Path(location).parts:
        raise ModelFileError(
            f"tensor {tensor!r} names the weight file {location!r} outside the model's folder",
            where=model.label,
            hint="weight files must lie beside the model",
        )
    if not path.is_file():
        raise ModelFileError(
            f"the weight file {location!r} of tensor {tensor!r} is missing",
            where=model.label,
            hint="put it beside the model",
        )
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelFileError(
            f"the weight file {location!r} is a link out of the model's folder",
            where=model.label,
            hint="copy the file beside the model",
        )


def external_tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every EXTERNAL tensor of a model: initializers and attributes, in subgraphs and functions too."""
    yield from _external_in_graph(proto.graph)
    for function in proto.functions:
        yield from _external_in_nodes(function.node)


def _external_in_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from (t for t in graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL)
    yield from _external_in_nodes(graph.node)


def _external_in_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors) if attribute.type in _TENSORS else ():
                if tensor.data_location == onnx.TensorProto.EXTERNAL:
                    yield tensor
            for graph in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
                yield from _external_in_graph(graph)


_TENSORS = (onnx.AttributeProto.TENSOR, onnx.AttributeProto.TENSORS)
_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
