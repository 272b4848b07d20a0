"""The TensorRT installed on this machine, found without importing it."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.util import find_spec

from onnxfix.targets.devices import known_release
from onnxfix.targets.names import make_target
from onnxfix.targets.records import Target, release_table
from onnxfix.targets.tables import Track, version_key

# Python module, and the distributions that may own it.
_INSTALLS: tuple[tuple[Track, str, tuple[str, ...]], ...] = (
    ("trt", "tensorrt", ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-cu11", "tensorrt-bindings")),
    ("rtx", "tensorrt_rtx", ("tensorrt-rtx-cu13", "tensorrt-rtx-cu12", "tensorrt-rtx")),
)


def local_target() -> Target | None:
    """The installed TensorRT, else the installed TensorRT-RTX, else None.

    A version that the fact base lacks is read as the newest release before it, and `Target.note` says so.
    """
    for track, module, distributions in _INSTALLS:
        installed = _version(distributions) if find_spec(module) else None
        target = target_of_version(track, installed) if installed else None
        if target:
            return target
    return None


def target_of_version(track: Track, installed: str) -> Target | None:
    """The target of a package version ("10.13.3.9"); None when it is older than every release known."""
    match = re.match(r"\d+(\.\d+)*", installed)
    if match is None:
        return None
    if release := known_release(track, match[0]):
        return make_target(track, release)
    older = [key for key in release_table(track) if version_key(key) < version_key(match[0])]
    if not older:
        return None
    nearest = max(older, key=version_key)
    return make_target(track, nearest, note=f"version {match[0]} is not known; the facts are those of {nearest}")


def _version(distributions: tuple[str, ...]) -> str | None:
    from importlib.metadata import distribution

    for name in distributions:
        with suppress(ModuleNotFoundError):
            return distribution(name).version
    return None
