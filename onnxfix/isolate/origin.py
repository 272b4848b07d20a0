"""Where the nodes of a reduced model come from, and the note of it inside the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from onnxfix.model import Model
from onnxfix.model.messages import copied
from onnxfix.model.origin import origin_of
from onnxfix.model.scope import scopes_of

ORIGIN_KEY = "onnxfix.origin"
"""Key of the metadata_props entry in which a reduced model notes what it was made from, as JSON."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A node of the smallest model: `line` is the Python line that made it, "" when no exporter told."""

    node: str
    op_type: str
    scope: str = ""
    line: str = ""


def origins(model: Model) -> Iterator[Origin]:
    """Where the nodes of a model come from."""
    for scope in scopes_of(model):
        for index, node in enumerate(scope.nodes):
            if node.op_type != "Constant":
                name = node.name or next(iter(node.output), "") or str(index)
                yield Origin(name, node.op_type, scope.label, origin_of(node))


def signed(model: Model, whole: str, check: str, failure: str, origin: Sequence[Origin]) -> Model:
    """The model with a note of where it comes from in its metadata_props."""
    proto = copied(model.proto)
    note = {"model": Path(whole).name, "check": check, "failure": failure, "nodes": [asdict(item) for item in origin]}
    kept = [copied(entry) for entry in proto.metadata_props if entry.key != ORIGIN_KEY]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    proto.metadata_props.add(key=ORIGIN_KEY, value=json.dumps(note))
    return model.with_proto(proto)
