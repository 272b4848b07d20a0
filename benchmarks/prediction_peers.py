"""What other tools say of the same models without TensorRT: trtcheck, and the linter onnx-doctor."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from benchmarks.cases import Case
from benchmarks.prediction_page import Verdict

PEERS = ("trtcheck", "onnx-doctor")


def verdicts_of(peer: str, cases: Sequence[Case], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The same verdicts with what a peer says in place of the fact base; where it stumbles it has told nothing."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number:05}.onnx") for number in range(len(cases))]
        for path, case in zip(paths, cases, strict=True):
            onnx.save(case.model, path)
        said = _trtcheck(paths) if peer == "trtcheck" else _onnx_doctor(Path(folder), paths)
        return [replace(verdict, known=words) for verdict, words in zip(verdicts, said, strict=True)]


def _trtcheck(paths: Sequence[Path]) -> Iterator[str]:
    """Its first critical issue for TensorRT 10.3, the newest it knows; it knows no TensorRT-RTX."""
    import trtcheck

    config = trtcheck.AnalyzerConfig(target_trt="10.3")
    for path in paths:
        critical: list[object] = []
        with contextlib.suppress(Exception):
            report = trtcheck.analyze(path, config=config)
            critical = [issue for issue in report.issues if issue.severity == trtcheck.Severity.CRITICAL]
        yield str(critical[0]) if critical else ""


def _onnx_doctor(folder: Path, paths: Sequence[Path]) -> list[str]:
    """Its first error of each model; codes that begin with ERR say that it failed itself."""
    command = [
        sys.executable,
        "-m",
        "onnx_doctor",
        "check",
        str(folder),
        "--output-format",
        "json",
        "--severity",
        "error",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    first: dict[str, str] = {}
    for found in _arrays(done.stdout):
        if not found["code"].startswith("ERR"):
            first.setdefault(Path(found["file"]).name, f"{found['code']} {found['message']}")
    return [first.get(path.name, "") for path in paths]


def _arrays(text: str) -> Iterator[dict[str, str]]:
    """The entries of several JSON arrays, one after the other: one for each model."""
    decoder, place = json.JSONDecoder(), 0
    while (place := text.find("[", place)) >= 0:
        found, place = decoder.raw_decode(text, place)
        yield from found
