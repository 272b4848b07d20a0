"""Everything of a model besides its nodes: interface, opsets, IR version, metadata, documentation, declared types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx

from onnxfix.diff.records import Change, Kind
from onnxfix.model.types import ValueType, dtype_name, from_value_info


def paired_inputs(one: onnx.GraphProto, two: onnx.GraphProto) -> tuple[dict[str, int], dict[str, int]]:
    """Numbers for the graph inputs of both models: equal for those of one name, else for the next of one type."""
    stored = [{tensor.name for tensor in graph.initializer} for graph in (one, two)]
    ones = [value for value in one.input if value.name not in stored[0]]
    twos = [value for value in two.input if value.name not in stored[1]]
    left, right = {value.name: place for place, value in enumerate(ones)}, dict[str, int]()
    free = [value for value in ones if value.name not in {other.name for other in twos}]
    for value in twos:
        if value.name in left:
            right[value.name] = left[value.name]
            continue
        alike = next((other for other in free if from_value_info(other) == from_value_info(value)), None)
        if alike is not None:
            free.remove(alike)
            right[value.name] = left[alike.name]
        else:
            right[value.name] = len(ones) + len(right)
    return left, right


def head_changes(
    one: onnx.ModelProto, two: onnx.ModelProto, inputs: tuple[dict[str, int], dict[str, int]]
) -> Iterator[Change]:
    """The changes outside of the graphs' nodes."""
    yield from _interface(one.graph, two.graph, inputs)
    opsets = [{entry.domain or "ai.onnx": str(entry.version) for entry in model.opset_import} for model in (one, two)]
    yield from _entries("opset", opsets[0], opsets[1], "opset of")
    if one.ir_version != two.ir_version:
        versions = str(one.ir_version), str(two.ir_version)
        yield Change("ir-version", "model", f"IR version {' → '.join(versions)}", "", versions[:1], versions[1:])
    yield from _entries("metadata", _metadata(one), _metadata(two), "")
    yield from _entries("docs", _docs(one), _docs(two), "")
    yield from _types(one.graph, two.graph)


def _interface(
    one: onnx.GraphProto, two: onnx.GraphProto, inputs: tuple[dict[str, int], dict[str, int]]
) -> Iterator[Change]:
    numbers = {number: name for name, number in inputs[0].items()}
    partner = {name: numbers[number] for name, number in inputs[1].items() if number in numbers}
    known = {value.name: value for value in one.input if value.name in inputs[0]}
    new = {value.name: value for value in two.input if value.name in inputs[1]}
    yield from _values("input", known, new, partner)
    outputs = [{value.name: value for value in graph.output} for graph in (one, two)]
    same = {name: name for name in outputs[1] if name in outputs[0]}
    gone, come = ([n for n in mine if n not in other] for mine, other in (outputs, outputs[::-1]))
    same |= dict(zip(come, gone, strict=False)) if len(gone) == len(come) else {}
    yield from _values("output", outputs[0], outputs[1], same)


def _values(
    kind: Kind,
    old: Mapping[str, onnx.ValueInfoProto],
    new: Mapping[str, onnx.ValueInfoProto],
    partner: Mapping[str, str],
) -> Iterator[Change]:
    for name in old:
        if name not in partner.values():
            yield Change(kind, name, f"{kind} {name} removed", "", (_signature(old[name]),), ())
    for name, value in new.items():
        if name not in partner:
            yield Change(kind, name, f"{kind} {name} added", "", (), (_signature(value),))
            continue
        before, after = _signature(old[partner[name]]), _signature(value)
        if partner[name] != name:
            yield Change(kind, name, f"{kind} {partner[name]} → {name}", "", (before,), (after,))
        elif before != after:
            yield Change(kind, name, f"{kind} {name}: {_type(old[name])} → {_type(value)}", "", (before,), (after,))


def _entries(kind: Kind, old: Mapping[str, str], new: Mapping[str, str], what: str) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            message = f"{what} {name}: {_short(before)} → {_short(after)}".strip()
            lines = [() if text is None else (text,) for text in (before, after)]
            yield Change(kind, name, message, "", lines[0], lines[1])


def _short(text: str | None) -> str:
    return "none" if text is None else text if len(text) <= 60 else text[:59] + "…"


def _metadata(model: onnx.ModelProto) -> dict[str, str]:
    producer = {
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "domain": model.domain,
        "model version": str(model.model_version or ""),
    }
    entries = {entry.key: entry.value for entry in model.metadata_props}
    return {name: text for name, text in producer.items() if text} | entries


def _docs(model: onnx.ModelProto) -> dict[str, str]:
    texts = {"model": model.doc_string, "graph": model.graph.doc_string, "graph name": model.graph.name}
    texts |= {f"value {value.name}": value.doc_string for value in (*model.graph.input, *model.graph.output)}
    return {name: text for name, text in texts.items() if text}


def _types(one: onnx.GraphProto, two: onnx.GraphProto) -> Iterator[Change]:
    """Declared types of inner values that both graphs declare, and differently, or that only one declares."""
    ones, twos = ({value.name: from_value_info(value) for value in graph.value_info} for graph in (one, two))
    names = [name for name in twos if name in ones and ones[name] != twos[name]]
    more, fewer = len(twos.keys() - ones.keys()), len(ones.keys() - twos.keys())
    if names or more or fewer:
        parts = (
            [f"{len(names)} changed"] * bool(names)
            + [f"{more} added"] * bool(more)
            + [f"{fewer} removed"] * bool(fewer)
        )
        figures = {"changed": len(names), "added": more, "removed": fewer}
        yield Change("value-info", "graph", f"declared types of inner values: {', '.join(parts)}", details=figures)


def _signature(value: onnx.ValueInfoProto) -> str:
    return f"{_type(value)} {value.name}"


def _type(value: onnx.ValueInfoProto) -> str:
    kind: ValueType = from_value_info(value)
    if kind.kind != "tensor":
        return kind.kind
    shape = "" if kind.dims is None else "[" + ",".join("?" if dim is None else str(dim) for dim in kind.dims) + "]"
    return f"{dtype_name(kind.dtype)}{shape}"
