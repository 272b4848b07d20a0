"""Weight files under names made of their content, so that models can share a folder without reading each other's."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from onnxfix.model import draft, external_tensors, load, place_of, weight_files
from onnxfix.model.messages import copied
from onnxfix.model.wire import SELF

_DIGITS = 16


@contextmanager
def by_content(path: Path, present: Collection[str]) -> Iterator[tuple[Path, dict[str, str]]]:
    """A model that looks for its weight files, but for those `present`, under names made of their content.

    Gives its file, which goes at the end, and {the weight file beside `path`: its new name}.  Raises ModelFileError.
    """
    model = load(path)
    names = {name: _name(path.parent, name) for name in weight_files(model) if name not in present}
    if not names:
        yield path, names
        return
    proto = copied(model.proto)
    for tensor in external_tensors(proto):
        location = place_of(tensor)[0]
        for entry in tensor.external_data if location != SELF else ():
            if entry.key == "location":
                entry.value = names.get(location, location)
    with draft(model.with_proto(proto), path) as renamed:
        yield renamed.path, names


def _name(folder: Path, name: str) -> str:
    """`weights.0123456789abcdef.bin` for `weights.bin`."""
    with (folder / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]
    place = PurePosixPath(name)
    return str(place.with_name(f"{place.stem}.{digest}{place.suffix}"))
