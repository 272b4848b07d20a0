"""Boards, GPUs and JetPacks: which releases run where, and which one a device gets when none is stated."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from onnxfix.errors import OnnxfixError
from onnxfix.targets.records import release_table
from onnxfix.targets.tables import Track, table, version_key

# devices.yaml, jetson_rules: TensorRT 11.4.1 needs JetPack 7.2.2 or later on AGX Orin or Thor.
JETPACK_BOARDS = {"7.2.2": ("jetson-agx-orin", "jetson-thor-t5000", "jetson-thor-t4000")}


def devices() -> Mapping[str, Mapping[str, Any]]:
    """Every board and GPU by name; `sm` is its compute capability without a dot."""
    tables = table("devices")
    return ChainMap(tables["dgpus"], tables["boards"])


def known_release(track: Track, version: str) -> str | None:
    """The release key that `version` belongs to (10.13.3.9 -> 10.13), None when the fact base has no such release."""
    keys = [key for key in release_table(track) if f"{version}.".startswith(f"{key}.")]
    return max(keys, key=version_key, default=None)


def newest(track: Track, prefix: str = "") -> str | None:
    """The newest release known, among those whose version begins with `prefix` ("10.")."""
    return max((key for key in release_table(track) if key.startswith(prefix)), key=version_key, default=None)


def runs_on(track: Track, release: str, capability: str) -> bool | None:
    """Whether a release runs on a compute capability; None when no source says so."""
    if track == "rtx":
        targets = release_table("rtx")[release].get("targets")
        return None if targets is None else int(capability) in targets["value"]
    entry = table("devices")["sm"][capability]
    span, unsure = entry.get("trt"), entry.get("unsure", "")
    if span is None:
        return None
    if "until" in span and version_key(release) >= version_key(span["until"]):
        return False
    if "since" in span and version_key(release) < version_key(span["since"]):
        return None if "since" in unsure else False
    return True


def newest_on(track: Track, capability: str) -> str | None:
    """The newest release known to run on a compute capability."""
    fitting = (key for key in release_table(track) if runs_on(track, key, capability))
    return max(fitting, key=version_key, default=None)


def board_release(board: str) -> tuple[str, str]:
    """The newest TensorRT that a JetPack is known to bring to `board`, and a note that says which one."""
    jetpacks = [key for key in table("devices")["jetpack"] if fits_board(board, key)]
    sure = [key for key in jetpacks if _states_tensorrt(key)]
    best = max(sure, key=version_key)
    release = jetpack_release(best)
    newer = sorted((key for key in jetpacks if version_key(key) > version_key(best)), key=version_key)
    doubt = f"; what JetPack {', '.join(newer)} brings is not known for sure" if newer else ""
    return release, f"newest known for {board}: TensorRT {release} of JetPack {best}{doubt}"


def board_releases(board: str) -> list[str]:
    """Every TensorRT release that a JetPack brings to `board`, oldest first; empty for a device without JetPack."""
    jetpacks = table("devices")["jetpack"]
    stated = {jetpack_release(key) for key in jetpacks if fits_board(board, key) and "tensorrt" in jetpacks[key]}
    return sorted(stated, key=version_key)


def jetpack_release(jetpack: str) -> str:
    """The TensorRT release key that a JetPack ships; raises OnnxfixError when no source states it."""
    stated = table("devices")["jetpack"][jetpack].get("tensorrt")
    release = known_release("trt", stated) if stated else None
    if release is None:
        hint = "name the release instead of the JetPack, as in jetson-nano@trt8.2"
        raise OnnxfixError(f"the TensorRT of JetPack {jetpack} is not known", hint=hint)
    return release


def check_jetpack(board: str, jetpack: str) -> None:
    """Raise OnnxfixError when no source says that `board` takes `jetpack`."""
    if not fits_board(board, jetpack):
        fitting = ", ".join(f"jp{key}" for key in table("devices")["jetpack"] if fits_board(board, key))
        hint = f"known for {board}: {fitting}" if fitting else f"{board} does not use JetPack"
        raise OnnxfixError(f"JetPack {jetpack} is not known to run on {board}", hint=hint)


def fits_board(board: str, jetpack: str) -> bool:
    """Whether a source says that `board` takes `jetpack`."""
    majors = devices()[board].get("jetpack_major", ())
    return int(jetpack.split(".")[0]) in majors and board in JETPACK_BOARDS.get(jetpack, (board,))


def _states_tensorrt(jetpack: str) -> bool:
    entry = table("devices")["jetpack"][jetpack]
    return "tensorrt" in entry and "tensorrt" not in entry.get("unsure", "")
