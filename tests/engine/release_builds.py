"""A build with the stand-in of a release, and which releases leave the types to the builder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from standin import RELEASES, Module, has

from onnxfix.engine import EngineResult, Flavour, builder
from onnxfix.engine.options import BuildOptions

WEAK = [(track, key) for track, key in RELEASES if track == "trt" and has(track, key, "BuilderFlag.FP16")]
STRONG = [release for release in RELEASES if release not in WEAK]


def build(module: Module, model: Path, options: BuildOptions | None = None, cache: str = "") -> EngineResult:
    flavour = Flavour(module.__name__, module.release)
    return builder.build_file(str(model), flavour, options or BuildOptions(), {}, {}, str(model) + ".plan", cache)


def pairs(module: Module) -> list[tuple[Any, Any]]:
    return [flag for flag in module.flags if isinstance(flag, tuple)]
