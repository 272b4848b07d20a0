"""From a file to a Model: every way in which a file is not an ONNX model has its own line."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, EncodeError, Message

from onnxfix.errors import ModelFileError
from onnxfix.model.model import Model, place_of
from onnxfix.model.stored import CHUNK, ModelBytes, StoredFile
from onnxfix.model.wire import SELF, Buffer, WireError, strip

_INT32_MAX = 2**31 - 1
_LARGE_MESSAGE = 1 << 27
"""Elements of stored tensors: 1 GiB of float64."""
_SIGNATURES = (
    (b"version https://git-lfs", "a Git-LFS pointer, not the model itself", "run `git lfs pull`"),
    (b"PK\x03\x04", "a zip archive, such as a PyTorch checkpoint", "export it to ONNX first"),
    (b"\x89HDF", "an HDF5 file, such as a Keras model", "export it to ONNX first"),
    (b"ftrt", "a TensorRT plan file", "a plan cannot be repaired; repair the ONNX file and build again"),
    (b"ptrt", "a TensorRT plan file", "a plan cannot be repaired; repair the ONNX file and build again"),
    (b"vtrt", "a TensorRT plan file", "a plan cannot be repaired; repair the ONNX file and build again"),
    (b"<!DOCTYPE", "an HTML page, perhaps a failed download", "download the model again"),
    (b"<html", "an HTML page, perhaps a failed download", "download the model again"),
)


def load(source: str | Path | onnx.ModelProto) -> Model:
    """Read a model without reading its weights; a ModelProto is taken as it is and never changed.

    Raises ModelFileError, one line, for anything that is not a readable ONNX model: a missing, empty, truncated
    or foreign file, or external data that is missing or lies outside the model's folder.
    """
    model = load_alone(source)
    _check_external_data(model)
    return model


def load_alone(source: str | Path | onnx.ModelProto) -> Model:
    """Like load, for a model that may have been separated from its weight files, as git separates it."""
    model = _of_message(source) if isinstance(source, onnx.ModelProto) else _of_file(Path(source))
    where = str(model.path or "model")
    for imports in (model.proto.opset_import, *(function.opset_import for function in model.proto.functions)):
        for entry in imports:
            entry.domain = "" if entry.domain == "ai.onnx" else entry.domain  # two names of one domain
        _check_opsets(imports, where)
    return model


def _of_message(proto: onnx.ModelProto) -> Model:
    """A message that may come near the 2 GiB of protobuf is never serialized, which takes twice its memory."""
    if sum(math.prod(tensor.dims) for tensor in proto.graph.initializer) > _LARGE_MESSAGE:
        return _of_large_message(proto)
    try:
        data = proto.SerializeToString()
    except EncodeError as error:
        raise _too_large(error) from None
    return Model(_decode(data, "model"), None, ModelBytes(data))


def _of_large_message(proto: onnx.ModelProto) -> Model:
    """As `_of_message`, with every large initializer of the main graph put on disk, one after another."""
    graph = onnx.GraphProto(**{field.name: value for field, value in _fields_without(proto.graph, "initializer")})
    model = Model(
        onnx.ModelProto(**{field.name: value for field, value in _fields_without(proto, "graph")}, graph=graph)
    )
    for tensor in proto.graph.initializer:
        model.proto.graph.initializer.append(model.put_away(tensor))
    try:
        model.proto.SerializeToString()
    except EncodeError as error:
        raise _too_large(error) from None
    return model


def _too_large(error: EncodeError) -> ModelFileError:
    """For more than 2 GiB in other places than the initializers of the main graph."""
    return ModelFileError(f"cannot be serialized: {error}", where="model", hint="save it with external data")


def _fields_without(message: Message, left_out: str) -> Iterator[tuple[FieldDescriptor, Any]]:
    return ((field, value) for field, value in message.ListFields() if field.name != left_out)


def _of_file(path: Path) -> Model:
    file = _opened(path, str(path))
    small = len(file) <= CHUNK
    proto = _decode(file[:] if small else file, str(path))
    file.check()
    return Model(proto, path, ModelBytes(file))


def _opened(path: Path, where: str) -> StoredFile:
    try:
        if path.is_dir():
            raise ModelFileError("is a folder, not an ONNX file", where=where, hint="name the .onnx file in it")
        if path.exists() and not path.is_file():
            raise ModelFileError("is not a regular file", where=where, hint="name an .onnx file")
        file = StoredFile(path, held=True)
    except FileNotFoundError:
        if path.is_symlink():
            hint = "fetch what it points to, as with `git annex get`"
            raise ModelFileError("is a link to nothing", where=where, hint=hint) from None
        raise ModelFileError("no such file", where=where) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelFileError(f"cannot be read: {reason}", where=where) from None
    if not len(file):
        raise ModelFileError("is empty", where=where, hint="export or download the model again")
    return file


def _decode(buffer: Buffer, where: str) -> onnx.ModelProto:
    try:
        proto = onnx.ModelProto.FromString(strip(buffer))
    except (WireError, DecodeError) as error:
        raise _not_a_model(buffer, where, str(error)) from None
    if not proto.HasField("graph"):
        raise _not_a_model(buffer, where, "it holds no graph")
    if not _is_utf8(proto):
        raise _not_a_model(buffer, where, "a text in it is not UTF-8")
    return proto


def _is_utf8(message: Message) -> bool:
    """Whether every text is one; protobuf gives those that are not as bytes."""
    for field, value in message.ListFields():
        if isinstance(value, (str, int, float)):
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            messages = (value,) if isinstance(value, Message) else value
            if not all(map(_is_utf8, messages)):
                return False
        elif field.type == FieldDescriptor.TYPE_STRING and (isinstance(value, bytes) or bytes in map(type, value)):
            return False
    return True


def _not_a_model(buffer: Buffer, where: str, reason: str) -> ModelFileError:
    head = buffer[:1024]
    for signature, what, hint in _SIGNATURES:
        if head.startswith(signature):
            return ModelFileError(f"is {what}", where=where, hint=hint)
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return ModelFileError("is a text file, not an ONNX model", where=where, hint="name the .onnx file")
    if head[:1] == b"\x08":  # the ir_version that opens every ModelProto
        return ModelFileError(f"is truncated or damaged: {reason}", where=where, hint="copy or export it again")
    return ModelFileError(f"is not an ONNX model: {reason}", where=where, hint="export or download it again")


def _check_opsets(imports: Iterable[onnx.OperatorSetIdProto], where: str) -> None:
    """One version of a domain is imported, and of ONNX's own domain one that exists."""
    newest = onnx.defs.onnx_opset_version()
    versions: dict[str, int] = {}
    for entry in imports:
        domain = entry.domain or "ai.onnx"
        if domain == "ai.onnx" and not 1 <= entry.version <= newest:
            what = f"imports opset {entry.version}; onnx {onnx.__version__} knows 1 to {newest}"
            raise ModelFileError(what, where=where, hint="a newer onnx may know more")
        if abs(entry.version) > _INT32_MAX:
            raise ModelFileError(f"imports version {entry.version} of {domain}", where=where, hint="export it again")
        if versions.setdefault(domain, entry.version) != entry.version:
            what = f"imports {domain} as version {versions[domain]} and as version {entry.version}"
            raise ModelFileError(what, where=where, hint="export it with one of them")


def _check_external_data(model: Model) -> None:
    """Every weight file is there, in the model's folder, and reaches as far as the tensors in it say."""
    seen = {SELF}
    for tensor in external_tensors(model.proto):
        location = place_of(tensor, model.label)[0]
        if location not in seen:
            mistake, hint = _misplaced(model.path.parent if model.path else None, location)
            if mistake:
                raise ModelFileError(f"tensor {tensor.name!r}: {mistake}", where=model.label, hint=hint)
            seen.add(location)
        model.extent(tensor)


def _misplaced(folder: Path | None, location: str) -> tuple[str, str]:
    """(what is wrong with the place of a weight file, what to do), or two empty texts."""
    if folder is None:
        return f"its values lie in the file {location!r}", "give onnxfix the path of the model instead"
    if not location or Path(location).is_absolute() or ".." in Path(location).parts:
        return f"its weight file {location!r} is outside the model's folder", "weight files must lie beside the model"
    path = folder / location
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for a name that is too long
        return f"its weight file {location!r} is missing", "put it beside the model"
    if not path.resolve().is_relative_to(folder.resolve()):
        return f"its weight file {location!r} is a link out of the model's folder", "copy the file beside the model"
    return "", ""


def weight_files(model: Model) -> list[str]:
    """The names of the files beside the model that hold its weights, sorted."""
    return sorted({place_of(tensor)[0] for tensor in external_tensors(model.proto)} - {SELF})


def external_tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every EXTERNAL tensor of a model: initializers and attributes, in subgraphs and functions too."""
    yield from _external_in_graph(proto.graph)
    for function in proto.functions:
        yield from _external_in_nodes(function.node)


def _external_in_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from _external(graph.initializer)
    yield from (t for sparse in graph.sparse_initializer for t in _external((sparse.values, sparse.indices)))
    yield from _external_in_nodes(graph.node)


def _external(tensors: Iterable[onnx.TensorProto]) -> Iterator[onnx.TensorProto]:
    return (tensor for tensor in tensors if tensor.data_location == onnx.TensorProto.EXTERNAL)


def _external_in_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type in _TENSORS:
                yield from _external((attribute.t, *attribute.tensors))
            for graph in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
                yield from _external_in_graph(graph)


_TENSORS = (onnx.AttributeProto.TENSOR, onnx.AttributeProto.TENSORS)
_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
