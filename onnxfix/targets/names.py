"""The names users type for a target, and what they mean.

A name is one or two parts joined by `@`, in any order and case: a release (`trt8.6`, `rtx1.7`, `trt` for the newest),
a JetPack (`jp6.2`), a device (`t4`, `jetson-nano`) or a compute capability (`sm89`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import cast

from onnxfix.errors import OnnxfixError
from onnxfix.targets.aliases import device_meant
from onnxfix.targets.devices import (
    board_release,
    board_releases,
    check_jetpack,
    devices,
    jetpack_release,
    known_release,
    newest,
    newest_on,
    runs_on,
)
from onnxfix.targets.records import Target, release_table
from onnxfix.targets.tables import Track, table, version_key

_RELEASE = re.compile(r"((?:tensorrt|trt)-?rtx|tensorrt|trt|rtx)-?v?(\d+(?:\.\d+)*)?")
_JETPACK = re.compile(r"(?:jp|jetpack)-?(\d+(?:\.\d+)*)")
_CAPABILITY = re.compile(r"(?:sm|cc)-?(\d+)\.?(\d)?")
_PRODUCT = {"trt": "TensorRT", "rtx": "TensorRT-RTX"}


def resolve(name: str) -> Target:
    """The target a user means by `name`.

    What the name leaves open is filled with the newest release known (for a board: of its JetPacks), and
    `Target.note` says so. Raises OnnxfixError for an unknown name, with the closest names, and for a release that
    does not run on the device.
    """
    wish = _read(name)
    capability, device = wish.get("capability"), wish.get("device")
    track, release, note = _software(wish)
    if capability:
        note = "; ".join(filter(None, (note, _check_place(track, release, device, capability))))
    return make_target(track, release, device, capability, note)


def make_target(
    track: Track, release: str, device: str | None = None, capability: str | None = None, note: str = ""
) -> Target:
    """A target with its canonical name: `trt8.6`, `t4@trt8.6` or `rtx1.7@sm89`."""
    name = f"{track}{release}"
    if device:
        name = f"{device}@{name}"
    elif capability:
        name = f"{name}@sm{capability}"
    return Target(name, track, release, device, capability, note)


def target_names() -> tuple[str, ...]:
    """Every release, device and JetPack name, for a listing and for suggestions."""
    tracks: tuple[Track, ...] = ("trt", "rtx")
    releases = [f"{track}{key}" for track in tracks for key in release_table(track)]
    return (*tracks, *releases, *devices(), *(f"jp{key}" for key in table("devices")["jetpack"]))


def _read(name: str) -> dict[str, str]:
    words = [re.sub(r"[\s_]+", "-", word.strip()) for word in name.lower().split("@")]
    parts = [_read_part(word, name) for word in words if word]
    merged = {key: value for part in parts for key, value in part.items()}
    doubled = len(merged) < sum(map(len, parts)) or {"jetpack", "track"} <= merged.keys()
    if doubled or len(parts) < len(words):
        what = "a target is a release, a device, or one of each"
        raise OnnxfixError(what, where=name, hint="for example trt8.6, jetson-nano or t4@trt8.6")
    return merged


def _read_part(part: str, name: str) -> dict[str, str]:
    """What one part names: device and capability, track and release ("" for the newest), or a JetPack."""
    device = part if part in devices() else device_meant(part)
    if device:
        return {"device": device, "capability": str(devices()[device]["sm"])}
    if match := _JETPACK.fullmatch(part):
        return {"jetpack": match[1]}
    if (match := _CAPABILITY.fullmatch(part)) and match[1] + (match[2] or "") in table("devices")["sm"]:
        return {"capability": match[1] + (match[2] or "")}
    if match := _RELEASE.fullmatch(part):
        return {"track": "rtx" if "rtx" in match[1] else "trt", "release": match[2] or ""}
    raise _unknown(part, name)


def _unknown(part: str, name: str) -> OnnxfixError:
    capabilities = [f"sm{key}" for key in table("devices")["sm"]]
    close = get_close_matches(part, [*target_names(), *capabilities], n=4, cutoff=0.5)
    inside = [known for known in devices() if len(part) > 1 and part in known]
    close.sort(key=lambda known: known[:4] != part[:4])
    suggestions = dict.fromkeys([*inside, *close])
    hint = f"closest: {', '.join(suggestions)}" if suggestions else "for example trt8.6, rtx, jetson-nano, t4@trt8.6"
    hint += "; a GPU that is not listed: its compute capability, as in sm86"
    return OnnxfixError(f"unknown target {part!r}", where=name if name != part else "", hint=hint)


def _software(wish: Mapping[str, str]) -> tuple[Track, str, str]:
    """Track, release key and note."""
    if "jetpack" in wish:
        return "trt", *_jetpack(wish["jetpack"], wish.get("device"))
    track = cast("Track | None", wish.get("track"))
    if track and wish["release"]:
        return track, *_stated_release(track, wish["release"])
    if "capability" in wish:
        return _newest_for(track, wish.get("device"), wish["capability"])
    return track or "trt", newest(track or "trt") or "", ""


def _stated_release(track: Track, version: str) -> tuple[str, str]:
    if known := known_release(track, version):
        return known, ""
    best = newest(track, f"{version}.")
    if best is None:
        raise _unknown(f"{track}{version}", f"{track}{version}")
    return best, f"{track}{version} read as {track}{best}, the newest {version}.x known"


def _jetpack(version: str, device: str | None) -> tuple[str, str]:
    table_keys = table("devices")["jetpack"]
    jetpack, note = version, ""
    if version not in table_keys:
        fitting = [key for key in table_keys if key.startswith(f"{version}.") and "tensorrt" in table_keys[key]]
        if not fitting:
            raise _unknown(f"jp{version}", f"jp{version}")
        jetpack = max(fitting, key=version_key)
        note = f"jp{version} read as jp{jetpack}, the newest {version}.x known"
    if device:
        check_jetpack(device, jetpack)
    unsure = "tensorrt" in table_keys[jetpack].get("unsure", "")
    doubt = f"the TensorRT of JetPack {jetpack} is not known for sure" if unsure else ""
    return jetpack_release(jetpack), "; ".join(filter(None, (note, doubt)))


def _newest_for(track: Track | None, device: str | None, capability: str) -> tuple[Track, str, str]:
    place = device or f"sm{capability}"
    if device and "jetpack_major" in devices()[device] and track != "rtx":
        return "trt", *board_release(device)
    known: dict[Track, str | None] = {"trt": newest_on("trt", capability), "rtx": newest_on("rtx", capability)}
    fitting = [(key, release) for key, release in known.items() if release and track in (key, None)]
    if not fitting:
        others = ", ".join(f"{key}{release}" for key, release in known.items() if release)
        raise OnnxfixError(
            f"no {_PRODUCT[track or 'trt']} is known to run on {place}", hint=others and f"known: {others}"
        )
    chosen, release = fitting[0]
    note = f"newest release known for {place}: {_PRODUCT[chosen]} {release}"
    if len(fitting) > 1:
        note += f"; for TensorRT-RTX write {place}@rtx"
    return chosen, release, note


def _check_place(track: Track, release: str, device: str | None, capability: str) -> str:
    """A note when nobody states that the release runs there; OnnxfixError when it does not."""
    product, place = f"{_PRODUCT[track]} {release}", device or f"sm{capability}"
    runs = runs_on(track, release, capability)
    if runs is False:
        other = newest_on(track, capability)
        hint = f"newest for sm{capability}: {track}{other}" if other else ""
        raise OnnxfixError(f"{product} does not run on {place} (sm{capability})", hint=hint)
    if device and track == "trt" and (shipped := board_releases(device)) and release not in shipped:
        return f"no JetPack for {device} is known to bring {product}; they bring {', '.join(shipped)}"
    return "" if runs else f"no source states that {product} runs on {place}"
