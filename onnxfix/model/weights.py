"""Where the weights of a model are when it is written: they stay, or come along as links, clones or copies.

A location of external data is relative and inside the model's folder: onnx 1.23, ONNX Runtime 1.32 and TensorRT-RTX 1.7
refuse every other.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import onnx

from onnxfix.errors import ModelFileError
from onnxfix.files import temporary, unwritable
from onnxfix.model.copying import append, clone
from onnxfix.model.file import external_tensors, weight_files
from onnxfix.model.messages import copied
from onnxfix.model.model import Model, place_of
from onnxfix.model.settling import lasting, names_in_use
from onnxfix.model.stored import Extent, StoredFile
from onnxfix.model.wire import SELF, set_place

ExternalData = Literal["auto", "reference", "copy", "link", "embed"]

Place = tuple[str, int, int]

PROTOBUF_LIMIT = 2**31 - 1

_STORIES = {
    "reference": "the weights ({size}) stay in {files}; keep the model beside them",
    "copy": "the weights ({size}) are copied to {files}; keep the model beside them",
    "clone": "the weights ({size}) are in {files}, which shares its blocks on disk with the original until one of them "
    "changes; keep the model beside them",
    "link": "the weights ({size}) are in {files}, a hard link: who changes the original's changes these; onnx's own "
    "checker and loader (1.23) refuse files with several links, ONNX Runtime and TensorRT take them",
    "embed": "the weights ({size}) are inside the model now",
    "split": "the model would exceed the 2 GiB of protobuf: its weights ({size}) are in {files}; keep the model beside "
    "them",
}
_OLD = "{old} of the model that was there before stays: delete it when no other model needs it"
_SHOWN = 3


class Weights:
    """The weight files of what is written to `goal`, the same for every candidate of one repair.

    "reference" leaves them where they are; "copy" clones them where the file system can, else copies what the model
    needs of them; "link" makes hard links; "embed" puts them into the model; "auto" refers to those that lie in the
    folder of `goal` and copies others.  Use it in a `with`: new files that have not got the names that last are gone at
    its end.
    """

    def __init__(self, original: Model, goal: Path, mode: ExternalData = "auto") -> None:
        """Raises ModelFileError for weights that cannot be referred to from there."""
        self.goal = goal
        self._home = original.path.parent if original.path else Path()
        self._stay = self._home.resolve() == goal.parent.resolve()
        self.mode = mode if mode != "auto" else "reference" if self._stay else "copy"
        self._moved: dict[str, str] = {}  # the new location of a file that is referred to, linked or cloned
        self._copied: dict[Place, int] = {}  # the offset of a tensor in the file of copies
        self._copies: Path | None = None
        self._made: list[Path] = []
        self._names: dict[Path, Path] = {}  # the lasting names of the files that were made
        self._needed = frozenset(weight_files(original) if self._stay else ())
        self._superseded: list[str] = []
        self._story, self._bytes = "", 0
        if self.mode == "reference":
            self._moved = {name: name if self._stay else self._from_goal(name) for name in weight_files(original)}

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._made:
            path.unlink(missing_ok=True)

    def _from_goal(self, name: str) -> str:
        path, folder = (self._home / name).resolve(), self.goal.parent.resolve()
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
        what = f"cannot refer to the weights in {str(path)!r}, which lie outside its folder"
        raise ModelFileError(what, where=str(self.goal), hint="write it beside them, or use --external-data copy")

    @property
    def note(self) -> str:
        """What was done with the weights, "" when there are none in files."""
        if not self._story:
            return ""
        names = [self._names.get(path, path).name for path in self._made] or sorted(set(self._moved.values()))
        said = _STORIES[self._story].format(size=size_text(self._bytes), files=_listed(names))
        return f"{said}; {_OLD.format(old=_listed(self._superseded))}" if self._superseded else said

    def placed(self, model: Model) -> Model:
        """The model with the tensors of its weight files where they will be.  Raises ModelFileError."""
        sizes = [model.extent(t).length for t in external_tensors(model.proto) if place_of(t)[0] != SELF]
        if not sizes:
            return model
        self._story, self._bytes = self.mode, sum(sizes)
        if self.mode == "reference" and self._stay:
            return model
        proto = copied(model.proto)
        if self.mode == "embed":
            self._embed(model, proto)
            return model.with_proto(proto)
        tensors = [tensor for tensor in external_tensors(proto) if place_of(tensor)[0] != SELF]
        apart = [tensor for tensor in tensors if not self._moves(model, tensor)]
        self._copy(model, apart)
        if self.mode == "copy":
            self._story = "copy" if apart else "clone"
        return model.with_proto(proto)

    def split(self, model: Model) -> Model:
        """The model with the large tensors of its own file in a file beside it.  Raises ModelFileError."""
        proto = copied(model.proto)
        tensors = [tensor for tensor in external_tensors(proto) if place_of(tensor)[0] == SELF]
        self._story, self._bytes = "split", sum(model.extent(tensor).length for tensor in tensors)
        self._copy(model, tensors)
        return model.with_proto(proto)

    def _embed(self, model: Model, proto: onnx.ModelProto) -> None:
        if self._bytes > PROTOBUF_LIMIT:
            what = f"cannot hold its weights ({size_text(self._bytes)}): protobuf allows 2 GiB"
            raise ModelFileError(what, where=str(self.goal), hint="use --external-data reference or copy")
        for tensor in proto.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL and place_of(tensor)[0] != SELF:
                extent = model.extent(tensor)
                set_place(tensor, SELF, model.buffer.take(extent), extent.length)
        for tensor in [t for t in external_tensors(proto) if place_of(t)[0] != SELF]:
            tensor.raw_data = model.tensor_bytes(tensor)
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")

    def _moves(self, model: Model, tensor: onnx.TensorProto) -> bool:
        """Give a tensor the new location of its file, if the file is referred to, linked or cloned as a whole."""
        location, source = place_of(tensor)[0], model.extent(tensor).source
        if location not in self._moved:
            assert isinstance(source, StoredFile)
            self._moved[location] = self._link(source) if self.mode == "link" else self._clone(source)
        if self._moved[location]:
            _set_location(tensor, self._moved[location])
        return bool(self._moved[location])

    def _link(self, source: StoredFile) -> str:
        path = temporary(self.goal)
        path.unlink()
        try:
            path.hardlink_to(os.path.realpath(source.path))
        except OSError as error:
            what = f"the weights in {str(source.path)!r} cannot be linked: {error.strerror}"
            raise ModelFileError(what, where=str(self.goal), hint="use --external-data copy") from None
        self._made.append(path)
        return path.name

    def _clone(self, source: StoredFile) -> str:
        path = temporary(self.goal)
        self._made.append(path)
        if clone(source, path):
            return path.name
        self._made.remove(path)
        path.unlink()
        return ""

    def _copy(self, model: Model, tensors: Sequence[onnx.TensorProto]) -> None:
        """Bring tensors into the file of copies, those that are not there yet, and point at them there."""
        extents = {_place(model, tensor): model.extent(tensor) for tensor in tensors}
        new = {place: extent for place, extent in extents.items() if place not in self._copied}
        if new:
            self._append(new)
        for tensor in tensors:
            assert self._copies is not None
            place = _place(model, tensor)
            set_place(tensor, self._copies.name, self._copied[place], place[2])

    def _append(self, extents: Mapping[Place, Extent]) -> None:
        try:
            needed, free = sum(place[2] for place in extents), shutil.disk_usage(self.goal.parent).free
            if needed > free:
                what = f"cannot be written: its weights take {size_text(needed)}, and {size_text(free)} are free"
                raise ModelFileError(what, where=str(self.goal), hint="use --external-data link")
            if self._copies is None:
                self._copies = temporary(self.goal)
                self._made.append(self._copies)
            descriptor = os.open(self._copies, os.O_RDWR | getattr(os, "O_BINARY", 0))
            try:
                for place, extent in extents.items():
                    self._copied[place] = append(extent, descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unwritable(self.goal, error) from None

    def lasting(self) -> dict[Path, Path]:
        """Names that last for the new files, by those they have; {} when there are none."""
        if self._made:
            used = names_in_use(self.goal)
            self._names = lasting(self.goal, self._made, used)
            self._superseded = sorted(name for name in used - self._needed if self._is_own(name))
        return self._names

    def _is_own(self, name: str) -> bool:
        """Whether a file is there that has the name of one made for this output."""
        return name.startswith(f"{self.goal.name}.") and name.endswith(".data") and (self.goal.parent / name).is_file()


def relocated(model: Model, names: Mapping[str, str]) -> Model:
    """The model with other names of its weight files."""
    proto = copied(model.proto)
    for tensor in external_tensors(proto):
        location = place_of(tensor)[0]
        _set_location(tensor, names.get(location, location))
    return model.with_proto(proto)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def size_text(count: int) -> str:
    """A number of bytes for people: 900 bytes, 2.1 GB."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("GB is the last unit")


def _place(model: Model, tensor: onnx.TensorProto) -> Place:
    extent = model.extent(tensor)
    return place_of(tensor)[0], extent.offset, extent.length


def _set_location(tensor: onnx.TensorProto, location: str) -> None:
    for entry in tensor.external_data:
        if entry.key == "location":
            entry.value = location
