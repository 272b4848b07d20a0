"""What `check`, `explain` and `targets` print, whole: stdout, stderr and exit code, as kept in tests/cli/snapshots.

`ONNXFIX_SNAPSHOTS=write python -m pytest tests/cli/test_snapshots.py` writes them anew; look at what changed before you
commit it.  No TensorRT is asked, so that they are the same on every machine.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import onnx
import pytest
from outside import Command

from fixtures import small

KEPT = Path(__file__).parent / "snapshots"
STUCK = '<ir_version: 8, opset_import: ["" : 17]> g (float[5] x) => (float[N] y) { [u] y = Unique(x) }'
QUANTISED = """<ir_version: 8, opset_import: ["" : 13]>
g (float[4] x) => (float[4] y) <float s = {0.5}, int8 z = {0}, float[1] mask = {-1e9}>
{ [q] t = QuantizeLinear (x, s, z)  [d] u = DequantizeLinear (t, s, z)  [m] y = Add (u, mask) }"""
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
LOG = """[I] Loading model
[E] Error Code 4: Internal Error (Network must have at least one output)
[W] Your ONNX model has been generated with INT64 weights, while TensorRT does not natively support INT64.
"""
NANO, TWO = ("--target", "jetson-nano"), ("--target", "trt8.6,jetson-nano")

COMMANDS: dict[str, tuple[str, ...]] = {
    "check-text": ("check", "bare.onnx", "stuck.onnx", *NANO),
    "check-clean": ("check", "well.onnx", *NANO, "--ignore", "OFX105"),
    "check-precision": ("check", "quantised.onnx", *NANO),
    "check-matrix": ("check", ".", *TWO, "--ignore", "OFX105"),
    "check-folder": ("check", "models", *NANO),
    "check-select": ("check", ".", *NANO, "--select", "OFX4"),
    "check-statistics": ("check", ".", *TWO, "--statistics"),
    **{
        f"check-{form}": ("check", ".", *TWO, "--format", form)
        for form in ("json", "sarif", "github", "junit", "markdown")
    },
    "check-baseline-written": ("check", ".", *NANO, "--write-baseline", "known.json"),
    "check-baseline-missing": ("check", ".", *NANO, "--baseline", "none.json"),
    "check-unreadable": ("check", "text.onnx", "well.onnx", *NANO),
    "check-pointer": ("check", "pointer.onnx", *NANO),
    "check-no-such-file": ("check", "none.onnx", *NANO),
    "check-no-such-target": ("check", "well.onnx", "--target", "jetson-nanoo"),
    "check-not-on-that-device": ("check", "well.onnx", "--target", "jetson-nano@trt10.0"),
    "check-no-such-format": ("check", "well.onnx", "--format", "xml"),
    "check-no-such-rule": ("check", "well.onnx", "--select", "OFX9999"),
    "check-without-model": ("check",),
    "check-help": ("check", "--help"),
    "explain-rule": ("explain", "OFX001"),
    "explain-message": ("explain", "explicit_context_dependent failed: invalid device context"),
    "explain-log": ("explain", "build.log", "--target", "trt8.6"),
    "explain-json": ("explain", "no-outputs", "--format", "json"),
    "explain-unknown": ("explain", "the coffee is cold"),
    "explain-without-text": ("explain",),
    "targets-device": ("targets", "jetson-nano"),
    "targets-release": ("targets", "rtx1.7@sm89"),
    "targets-jetpack": ("targets", "jetson-orin-nano@jp6.2"),
    "targets-json": ("targets", "t4@trt8.6", "--format", "json"),
    "targets-unknown": ("targets", "playstation"),
    "targets-all": ("targets",),
}


@pytest.fixture
def models(folder: Path) -> Path:
    """Models that are well, repairable, blocked and quantised; files that are none; a log."""
    (folder / "sick.onnx").unlink()
    (folder / "models").mkdir()
    onnx.save(small.build("upsample-in-11"), folder / "models" / "old.onnx")
    onnx.save(small.build("no-outputs"), folder / "bare.onnx")
    onnx.save(onnx.parser.parse_model(STUCK), folder / "stuck.onnx")
    onnx.save(onnx.parser.parse_model(QUANTISED), folder / "quantised.onnx")
    (folder / "build.log").write_text(LOG)
    return folder


def normal(name: str, text: str, folder: Path) -> str:
    """What differs from one machine or run to the next, made equal; of SARIF the results, not the texts of rules."""
    text = re.sub(r"\b\d+(\.\d+)? s\b", "N s", text.replace(str(folder), "FOLDER"))
    text = re.sub(r'"seconds": [\d.e-]+', '"seconds": 0', text)
    text = re.sub(r'time="[\d.]+"', 'time="0"', text)
    text = re.sub(r"^usage: .*?(?=^onnxfix)", "usage: ...\n", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"(?<=choose from ).*(?=\))", lambda found: found[0].replace("'", ""), text)  # quoted before 3.12
    if name == "check-help":  # argparse writes `-o OUT, --output OUT` before Python 3.13, and wraps by the width
        text = re.sub(r"(-\w) (\S+), (--[\w-]+ \2)", r"\1, \3", re.sub(r"\s+", " ", text))
    if name == "check-sarif" and text:
        run = json.loads(text)["runs"][0]
        text = json.dumps(
            {"rules": [rule["id"] for rule in run["tool"]["driver"]["rules"]], "results": run["results"]}, indent=1
        )
    return text.strip("\n")


def compare(name: str, said: str) -> None:
    kept = KEPT / f"{name}.txt"
    if os.environ.get("ONNXFIX_SNAPSHOTS") == "write":
        kept.write_text(said, encoding="utf-8")
    assert said == kept.read_text(encoding="utf-8")


def shown(name: str, folder: Path, onnxfix: Command, *arguments: str) -> str:
    done = onnxfix(*arguments, COLUMNS="120", NO_COLOR="1")
    parts = (
        f"$ onnxfix {' '.join(arguments)}",
        normal(name, done.stdout, folder),
        "-- stderr",
        normal(name, done.stderr, folder),
    )
    return "\n".join((*parts, f"-- exit code {done.returncode}", ""))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command(name: str, onnxfix: Command, models: Path) -> None:
    if name == "check-unreadable":
        (models / "text.onnx").write_text("no model")
    if name == "check-pointer":
        (models / "pointer.onnx").write_text(LFS)
    compare(name, shown(name, models, onnxfix, *COMMANDS[name]))


SETTINGS = {
    "settings-of-files": '[tool.onnxfix]\ntargets = ["jetson-nano"]\nignore = ["OFX105"]\n'
    '[tool.onnxfix.per-file-ignores]\n"models/*" = ["OFX001"]\n"st*.onnx" = ["OFX799"]\n',
    "settings-unknown-key": '[tool.onnxfix]\ncolour = "blue"\n',
    "settings-wrong-type": "[tool.onnxfix]\ntargets = 8\n",
    "settings-no-toml": "[tool.onnxfix\n",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name: str, onnxfix: Command, models: Path) -> None:
    (models / "pyproject.toml").write_text(SETTINGS[name])
    compare(name, shown(name, models, onnxfix, "check", "."))


def test_a_baseline(onnxfix: Command, models: Path) -> None:
    onnxfix("check", ".", *NANO, "--write-baseline", "known.json")
    onnx.save(small.build("legacy-broadcast"), models / "new.onnx")
    compare("check-baseline", shown("check-baseline", models, onnxfix, "check", ".", *NANO, "--baseline", "known.json"))


def test_nothing_is_kept_for_a_test_that_is_gone() -> None:
    kept = {path.stem for path in KEPT.iterdir()}
    assert kept == {*COMMANDS, *SETTINGS, "check-baseline"}
