"""The TensorRT installed on this machine, found without importing it."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.util import find_spec

from onnxfix.targets.devices import known_release
from onnxfix.targets.names import make_target
from onnxfix.targets.records import Target, release_table
from onnxfix.targets.tables import Track, version_key

_MODULES: tuple[tuple[Track, str], ...] = (("trt", "tensorrt"), ("rtx", "tensorrt_rtx"))
# One library ships under several package names; the first that is installed tells the version.
_PACKAGES = ("", "-cu13", "-cu12", "-cu11", "-cu13-bindings", "-cu12-bindings", "-bindings")


def local_target() -> Target | None:
    """The installed TensorRT, else the installed TensorRT-RTX, else None.

    A version that the fact base lacks is read as the newest release before it, and `Target.note` says so.
    """
    for track, module in _MODULES:
        installed = package_version(module)[0] if find_spec(module) else ""
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


def package_version(module: str) -> tuple[str, str]:
    """Version of the package of a library, and the CUDA that its name tells; "" for what is not known."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for suffix in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[suffix] = version(module.replace("_", "-") + suffix)
    cuda = next((suffix.split("-")[1].removeprefix("cu") for suffix in found if suffix.startswith("-cu")), "")
    return next(iter(found.values()), ""), cuda
