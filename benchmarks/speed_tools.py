"""onnxfix and its peers as people call them, and what they wrote."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnx

PEERS = ("onnxsim", "onnxslim", "polygraphy", "onnxoptimizer", "onnx-doctor", "trtcheck")
PACKAGES = ("onnxfix", *PEERS, "onnx", "onnxruntime", "numpy", "protobuf")

TWO_SESSIONS = """
import sys
import numpy as np
import onnxruntime
for path in sys.argv[1:]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {x.name: np.random.default_rng(0).random(x.shape, dtype=np.float32) for x in session.get_inputs()}
    outputs = session.run(None, inputs)
"""
"""The least that a numeric comparison costs: both models loaded, and run once on the same inputs."""


def repairs(model: Path, output: Path, peers: Sequence[str]) -> dict[str, list[str]]:
    """The commands that write a better model to `output`, by tool; [] for one that is not installed."""
    given, made = str(model), str(output)
    commands = {
        "onnxfix": ["onnxfix", "repair", given, "-o", made, "--verify", "none"],
        "onnxsim": ["onnxsim", given, made],
        "onnxslim": ["onnxslim", given, made],
        "polygraphy": ["polygraphy", "surgeon", "sanitize", given, "--fold-constants", "-o", made],
        "onnxoptimizer": ["onnxoptimizer", given, made],
        "onnx-doctor": ["onnx-doctor", "check", given, "--fix", "-o", made],
    }
    return {name: found(words) for name, words in commands.items() if name in ("onnxfix", *peers)}


def checks(model: Path, peers: Sequence[str]) -> dict[str, list[str]]:
    """The commands that only look at a model; that of onnxfix without TensorRT and without its cache."""
    commands = {
        "onnxfix check": ["onnxfix", "check", str(model), "--static", "--no-cache"],
        "onnx-doctor check": ["onnx-doctor", "check", str(model)],
        "trtcheck": ["trtcheck", str(model)],
    }
    return {name: found(words) for name, words in commands.items() if name.split()[0] in ("onnxfix", *peers)}


def numeric(ailing: Path, healthy: Path, output: Path) -> dict[str, list[str]]:
    """A repair proven by numbers, and two sessions of ONNX Runtime on the same network."""
    return {
        "onnxfix": found(["onnxfix", "repair", str(ailing), "-o", str(output), "--verify", "numeric"]),
        "ONNX Runtime, twice": [sys.executable, "-c", TWO_SESSIONS, str(healthy), str(healthy)],
    }


def helps(peers: Sequence[str]) -> dict[str, list[str]]:
    """`--help` of every tool."""
    return {name: found([name, "--help"]) for name in ("onnxfix", *peers)}


def found(words: Sequence[str]) -> list[str]:
    """The command with the program of this environment, else that of the PATH; [] when there is none."""
    own = str(Path(sys.executable).parent)
    program = shutil.which(words[0], path=own) or shutil.which(words[0])
    return [program, *words[1:]] if program else []


def versions() -> dict[str, str]:
    """The releases that are measured, by package."""
    return dict(_installed())


def _installed() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def written(path: str) -> str:
    """What a tool wrote: `134 nodes, valid`, or "" for nothing; run in the sandbox, because the checker may crash."""
    if not Path(path).exists():
        return ""
    nodes = len(onnx.load(path, load_external_data=False).graph.node)
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:
        return f"{nodes} nodes, invalid: {' '.join(str(error).split())[:80]}"
    return f"{nodes} nodes, valid"
