"""The fact base as tables: all targets, or one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from onnxfix.report.text import Line, visible

if TYPE_CHECKING:
    from onnxfix.targets import Release, Target
    from onnxfix.targets.overview import Device

UNKNOWN = "?"
"""What no source states."""

_INT64 = {"clamped_to_int32": "as int32", "native": "yes"}
_WORDS = {True: "yes", False: "no", None: UNKNOWN}


def overview_lines() -> Iterator[Line]:
    """Three tables: releases, devices, JetPacks."""
    from onnxfix.targets.devices import devices
    from onnxfix.targets.overview import device, jetpacks, releases

    yield (("Releases", "bold"), "   ? is what no source states")
    yield from table_lines(_RELEASE_HEAD, [_release_row(item) for item in releases()])
    yield (("Devices", "bold"),)
    head = ("name", "compute capability", "precisions", "releases")
    yield from table_lines(head, [_device_row(device(name)) for name in devices()])
    yield (("JetPacks", "bold"),)
    rows = [(f"jp{item.version}", item.tensorrt or UNKNOWN, item.cuda or UNKNOWN, item.unsure) for item in jetpacks()]
    yield from table_lines(("name", "TensorRT", "CUDA", "not sure"), rows)
    yield ("A target is a release, a device, or both: trt8.6, t4, t4@trt8.6, jetson-orin-nano@jp6.2, rtx1.7@sm89.",)


def target_lines(target: Target) -> Iterator[Line]:
    """Everything known of one target, each fact with its source."""
    from onnxfix.targets import gpu_precision
    from onnxfix.targets.overview import PRECISIONS, device, with_measured

    yield ((target.title, "bold"), f"   {target.name}")
    if target.note:
        yield (("note: ", "yellow"), visible(target.note, 400))
    facts = with_measured(target)
    for name, value in _stated(facts).items():
        source = next((facts.sources[field] for field in _FIELDS.get(name, (name,)) if field in facts.sources), "")
        yield (f"  {name:22} ", f"{value:28} ", (visible(source, 300), "dim"))
    if target.device:
        own = device(target.device)
        yield (f"  {'GPU':22} ", f"{own.compute_capability:28} ", (visible(own.source, 300), "dim"))
    elif target.compute_capability:
        yield (f"  {'GPU':22} ", _dotted(int(target.compute_capability)))
    if target.compute_capability:
        known = {kind: gpu_precision(target, kind) for kind in PRECISIONS}
        words = {"yes": "{}", "no": "no {}", "unknown": "{} " + UNKNOWN}
        source = next((item.source for item in known.values() if item.source), "")
        text = ", ".join(words[item.answer].format(kind) for kind, item in known.items())
        yield (f"  {'precisions of the GPU':22} ", f"{text:28} ", (visible(source, 400), "dim"))


def document(target: Target | None) -> dict[str, Any]:
    """The same as JSON types; what no source states is null or left out."""
    from onnxfix.targets.devices import devices
    from onnxfix.targets.overview import device, jetpacks, releases, with_measured

    if target is not None:
        own = asdict(device(target.device)) if target.device else None
        return {**asdict(target), "title": target.title, "facts": asdict(with_measured(target)), "on": own}
    return {
        "releases": [asdict(item) for item in releases()],
        "devices": [asdict(device(name)) for name in devices()],
        "jetpacks": [asdict(item) for item in jetpacks()],
    }


_RELEASE_HEAD = (
    "name",
    "CUDA",
    "compute capability",
    "opset",
    "int64",
    "fp64",
    "uint8",
    "bool",
    "bf16",
    "fp8",
    "int4",
    "fp4",
    "typing",
)
_FIELDS: dict[str, tuple[str, ...]] = {
    "CUDA": ("cuda",),
    "compute capability": ("sm_targets", "sm_min"),
    "opset": ("opset_max",),
    "bool": ("boolean",),
    "fp64": ("double",),
    "build needs a GPU": ("build_needs_gpu",),
}
"""The fields behind a row, where they have other names."""
_DOUBLE = {"refused": "no", "narrowed_to_float": "as fp32"}
_UINT8 = {"none": "no", "graph_io_only": "input, output"}


def _stated(facts: Release) -> dict[str, str]:
    row = dict(zip(_RELEASE_HEAD, _release_row(facts), strict=True))
    del row["name"]
    more = {"version": facts.version, "date": facts.date, "network": facts.network}
    plain = {name: str(value).replace("_", " ") for name, value in more.items() if value is not None}
    needs = {} if facts.build_needs_gpu is None else {"build needs a GPU": _WORDS[facts.build_needs_gpu]}
    return {**plain, **row, **needs}


def _release_row(facts: Release) -> tuple[str, ...]:
    span = (
        f"{_dotted(facts.sm_min)} to {_dotted(facts.sm_max) if facts.sm_max else UNKNOWN}" if facts.sm_min else UNKNOWN
    )
    capability = ", ".join(map(_dotted, facts.sm_targets)) if facts.sm_targets else span
    opset = UNKNOWN if facts.opset_max is None else f"7 to {facts.opset_max}"
    return (
        f"{facts.track}{facts.key}",
        ", ".join(facts.cuda) if facts.cuda else UNKNOWN,
        capability,
        opset,
        _INT64.get(facts.int64 or "", UNKNOWN),
        _DOUBLE.get(facts.double or "", UNKNOWN),
        _UINT8.get(facts.uint8 or "", UNKNOWN),
        _WORDS[facts.boolean],
        _WORDS[facts.bf16],
        {"yes": "yes", "no": "no", "enum_only": "name only"}.get(facts.fp8 or "", UNKNOWN),
        _WORDS[facts.int4],
        _WORDS[facts.fp4],
        (facts.typing or UNKNOWN).replace("_", " "),
    )


def _dotted(capability: int) -> str:
    return f"{capability // 10}.{capability % 10}"


def _device_row(item: Device) -> tuple[str, ...]:
    spans = _spans(item.releases)
    return item.name, item.compute_capability, _precisions(item), spans


def _precisions(item: Device) -> str:
    has = [kind for kind, there in item.precisions.items() if there]
    lacks = [f"no {kind}" for kind, there in item.precisions.items() if not there]
    return ", ".join([*has, *lacks]) or UNKNOWN


def _spans(names: Sequence[str]) -> str:
    """`trt8.2 to trt8.6, rtx1.4 to rtx1.7`: the first and last of each track."""
    parts = []
    for track in ("trt", "rtx"):
        own = [name for name in names if name.startswith(track)]
        parts += [own[0] if len(own) == 1 else f"{own[0]} to {own[-1]}"] if own else []
    return ", ".join(parts) or UNKNOWN


def table_lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Line]:
    """Columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    yield (("  " + "  ".join(f"{cell:{width}}" for cell, width in zip(head, widths, strict=True)).rstrip(), "dim"),)
    for row in rows:
        yield ("  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip(),)
