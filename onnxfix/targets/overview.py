"""What the fact base holds, listed: releases, devices and JetPacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from onnxfix.targets.devices import board_releases, devices, fits_board, runs_on
from onnxfix.targets.dtypes import operator_dtypes
from onnxfix.targets.limits import table_source
from onnxfix.targets.names import make_target
from onnxfix.targets.records import Release, Target, release, release_table
from onnxfix.targets.tables import Track, cite, table, version_key

_BUILT: Mapping[str, tuple[str, str | bool]] = {
    "int64": ("int64", "native"),
    "fp64": ("double", "narrowed_to_float"),
    "uint8": ("uint8", "graph_io_only"),
    "bool": ("boolean", True),
    "bf16": ("bf16", True),
    "fp8": ("fp8", "yes"),
    "int4": ("int4", True),
    "fp4": ("fp4", True),
}
"""What it says of a release that an element type was built: the field of Release, and its value."""

PRECISIONS = ("fp16", "int8", "bf16", "fp8", "int4", "fp4")


@dataclass(frozen=True, slots=True)
class Device:
    """A board or GPU.  `precisions` tells which types its GPU computes in; one that no source states is left out.

    `releases` are the TensorRT releases that a source says run on it (for a board those of its JetPacks), oldest first.
    """

    name: str
    compute_capability: str
    precisions: Mapping[str, bool]
    releases: tuple[str, ...]
    jetpacks: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class JetPack:
    """A JetPack, and what it brings; "" for what no source states. `unsure` names the facts that are not sure."""

    version: str
    tensorrt: str
    cuda: str
    unsure: str
    source: str


def releases() -> list[Release]:
    """Every release, TensorRT before TensorRT-RTX, oldest first, with what is measured of it."""
    tracks: tuple[Track, ...] = ("trt", "rtx")
    return [
        with_measured(make_target(track, key))
        for track in tracks
        for key in sorted(release_table(track), key=version_key)
    ]


def with_measured(target: Target) -> Release:
    """The facts of a release; of TensorRT-RTX, whose element types no document states, with those that were built.

    They are the types that Identity takes (operators.yaml); its parser reads fp64 as fp32 (dtype_notes).  That a type
    was not built so is no proof against it.
    """
    facts, built = release(target), operator_dtypes(target, "Identity")
    if target.track != "rtx" or built is None:
        return facts
    new: dict[str, Any] = {
        field: value for kind, (field, value) in _BUILT.items() if kind in built and getattr(facts, field) is None
    }
    return replace(facts, **new, sources={**dict.fromkeys(new, table_source(target)), **facts.sources})


def device(name: str) -> Device:
    """What is known of a board or GPU (a name of `devices()`)."""
    entry, tables = devices()[name], table("devices")
    capability = str(entry["sm"])
    stated = {**tables["sm"].get(capability, {}).get("precisions", {}), **entry.get("precisions", {})}
    fits = [key for key in tables["jetpack"] if fits_board(name, key)]
    return Device(
        name=name,
        compute_capability=f"{capability[:-1]}.{capability[-1]}",
        precisions={kind: bool(stated[kind]) for kind in PRECISIONS if kind in stated},
        releases=tuple(f"trt{key}" for key in board_releases(name)) if fits else _running(capability),
        jetpacks=tuple(fits),
        source="; ".join(cite(key, tables["sources"]) for key in entry["src"]),
    )


def jetpacks() -> list[JetPack]:
    """Every JetPack, oldest first."""
    tables = table("devices")
    return [
        JetPack(
            version=key,
            tensorrt=entry.get("tensorrt", ""),
            cuda=entry.get("cuda", ""),
            unsure=entry.get("unsure", ""),
            source="; ".join(cite(source, tables["sources"]) for source in entry["src"]),
        )
        for key, entry in tables["jetpack"].items()
    ]


def _running(capability: str) -> tuple[str, ...]:
    tracks: tuple[Track, ...] = ("trt", "rtx")
    return tuple(
        f"{track}{key}"
        for track in tracks
        for key in sorted(release_table(track), key=version_key)
        if runs_on(track, key, capability)
    )
