"""Where the nodes of a reduced model come from, and the note of it inside the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from onnxfix.model import Model
from onnxfix.model.messages import copied
from onnxfix.model.origin import origin_of
from onnxfix.model.scope import Scope, scopes_of

ORIGIN_KEY = "onnxfix.origin"
"""Key of the metadata_props entry in which a reduced model notes what it was made from, as JSON."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A node of the smallest model as the whole has it: `scope` is the path of its graph there, or its function.

    `line` is the Python line that made it, "" when no exporter told.
    """

    node: str
    op_type: str
    scope: str = ""
    line: str = ""


def origins(model: Model, whole: Model, place: str) -> Iterator[Origin]:
    """Where the nodes of a model, whose main graph was at `place` in `whole`, come from."""
    functions = [scope for scope in scopes_of(whole) if scope.is_function]
    known = {name for scope in scopes_of(whole) if not scope.is_function for name in scope.producer}
    for scope in scopes_of(model):
        path = "/".join(filter(None, (place, scope.label)))
        for index, node in enumerate(scope.nodes):
            if node.op_type == "Constant":
                continue
            name, home = node.name or next(iter(node.output), "") or str(index), path
            if functions and not scope.is_function and not known.intersection(node.output):
                name, home = _in_function(node, functions) or (name, path)
            yield Origin(name, node.op_type, home, origin_of(node))


def _in_function(node: onnx.NodeProto, functions: Sequence[Scope]) -> tuple[str, str] | None:
    """(name, label) of the only node of a function that an inlined one can be: its values end as the function's do."""
    found = [
        (own.name or own.output[0], function.label)
        for function in functions
        for own in function.nodes
        if own.op_type == node.op_type
        and len(own.output) == len(node.output)
        and all(new.endswith(f"_{old}") for new, old in zip(node.output, own.output, strict=True) if new)
    ]
    return found[0] if len(found) == 1 else None


def signed(model: Model, whole: str, check: str, failure: str, origin: Sequence[Origin]) -> Model:
    """The model with a note of where it comes from in its metadata_props."""
    proto = copied(model.proto)
    note = {"model": Path(whole).name, "check": check, "failure": failure, "nodes": [asdict(item) for item in origin]}
    kept = [copied(entry) for entry in proto.metadata_props if entry.key != ORIGIN_KEY]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    proto.metadata_props.add(key=ORIGIN_KEY, value=json.dumps(note))
    return model.with_proto(proto)
