"""Everything of a model besides its nodes and interface: opsets, IR version, metadata, documentation, types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx

from onnxfix.changes.interface import type_text
from onnxfix.changes.journal import KEY, in_words
from onnxfix.changes.records import Change, Kind

Names = Mapping[str, str]
"""For each value of the first main graph its name in the second."""

_SHOWN = 60


def head_changes(one: onnx.ModelProto, two: onnx.ModelProto, names: Names) -> Iterator[Change]:
    """The changes outside of the graphs' nodes, inputs and outputs."""
    opsets = [{entry.domain or "ai.onnx": str(entry.version) for entry in model.opset_import} for model in (one, two)]
    yield from _entries("opset", opsets[0], opsets[1], "opset of")
    if one.ir_version != two.ir_version:
        versions = str(one.ir_version), str(two.ir_version)
        yield Change("ir-version", "model", f"IR version {' → '.join(versions)}", "", versions[:1], versions[1:])
    yield from _entries("metadata", _metadata(one), _metadata(two), "")
    yield from _hidden(one, two)
    yield from _entries("docs", _docs(one, names), _docs(two, {}), "documentation of")
    if one.graph.name != two.graph.name:
        titles = one.graph.name, two.graph.name
        message = f"graph {titles[0] or '(no name)'} → {titles[1] or '(no name)'}"
        yield Change("renamed", "graph", message, "", titles[:1], titles[1:])
    yield from _types(one.graph, two.graph, names)


def _entries(kind: Kind, old: Mapping[str, str], new: Mapping[str, str], what: str) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            lines = [() if text is None else (text,) for text in (before, after)]
            message = f"{what} {name}: {_short(before)} → {_short(after)}".strip()
            if kind == "metadata" and name == KEY and after:
                message = after
            yield Change(kind, name, message, "", lines[0], lines[1])


def _short(text: str | None) -> str:
    return "none" if text is None else text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _metadata(model: onnx.ModelProto) -> dict[str, str]:
    producer = {
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "domain": model.domain,
        "model version": str(model.model_version or ""),
    }
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if KEY in entries:
        entries[KEY] = in_words(entries[KEY])
    inner = {f"{entry.key} of the graph": entry.value for entry in model.graph.metadata_props}
    return {name: text for name, text in producer.items() if text} | entries | inner


def _hidden(one: onnx.ModelProto, two: onnx.ModelProto) -> Iterator[Change]:
    """Parts of a file that few tools read, told of only as being others."""
    parts = [
        {
            "training information": [item.SerializeToString(deterministic=True) for item in model.training_info],
            "quantization annotations": sorted(
                item.SerializeToString(deterministic=True) for item in model.graph.quantization_annotation
            ),
            "device configuration": [item.SerializeToString(deterministic=True) for item in model.configuration],
        }
        for model in (one, two)
    ]
    for name in parts[0]:
        if parts[0][name] != parts[1][name]:
            yield Change("metadata", name, f"other {name}")


def _docs(model: onnx.ModelProto, names: Names) -> dict[str, str]:
    """Documentation by what it is about; values are called by their name in the second model."""
    texts = {"model": model.doc_string, "graph": model.graph.doc_string}
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    texts |= {f"value {names.get(value.name, value.name)}": value.doc_string for value in values}
    tensors = ((tensor.name, tensor.doc_string) for tensor in model.graph.initializer)
    texts |= {f"tensor {names.get(name, name)}": text for name, text in tensors if text}
    return {name: text for name, text in texts.items() if text}


def _types(one: onnx.GraphProto, two: onnx.GraphProto, names: Names) -> Iterator[Change]:
    """Declared types of inner values that both graphs declare, and differently, or that only one declares."""
    ones = {names.get(value.name, value.name): type_text(value) for value in one.value_info}
    twos = {value.name: type_text(value) for value in two.value_info}
    changed = [name for name in twos if name in ones and ones[name] != twos[name]]
    counts = {
        "changed": len(changed),
        "added": len(twos.keys() - ones.keys()),
        "removed": len(ones.keys() - twos.keys()),
    }
    if any(counts.values()):
        parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        before, after = (tuple(f"{types[name]} {name}" for name in changed[:20]) for types in (ones, twos))
        message = f"declared types of inner values: {parts}"
        yield Change("value-info", "graph", message, "", before, after, details=dict(counts))
