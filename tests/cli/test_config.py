"""`[tool.onnxfix]` in pyproject.toml."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from onnxfix.cli.config import Settings, nearest, settings
from onnxfix.errors import OnnxfixError

NOTHING = argparse.Namespace()


def write(folder: Path, text: str) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_keys(tmp_path: Path) -> None:
    write(
        tmp_path,
        """[tool.onnxfix]
target = "trt8.6"
select = ["legacy", "OFX3"]
ignore = ["upsample-op"]
unsafe-fixes = true
rules = ["own", "/elsewhere"]
verify = "numeric"
targets = ["trt8.2", "rtx"]
baseline = "known.json"
[tool.onnxfix.per-file-ignores]
"old/*.onnx" = ["OFX1"]
""",
    )
    folders = (tmp_path / "own", Path("/elsewhere"))
    expected = Settings("trt8.6", ("legacy", "OFX3"), ("upsample-op",), True, folders, "numeric")
    patterns = ((f"{tmp_path.as_posix()}/old/*.onnx", ("OFX1",)),)
    expected = replace(expected, targets=("trt8.2", "rtx"), baseline=tmp_path / "known.json", per_file_ignores=patterns)
    assert settings(NOTHING, tmp_path) == expected
    assert expected.for_file(tmp_path / "old" / "deep" / "a.onnx").ignore == ("upsample-op", "OFX1")
    assert expected.for_file(tmp_path / "a.onnx").ignore == ("upsample-op",)


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    outer = write(tmp_path, '[tool.onnxfix]\ntarget = "trt8.6"')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert nearest(inner) == outer
    write(tmp_path / "a", "[tool.other]\nx = 1")
    assert settings(NOTHING, inner) == Settings()


def test_the_command_line_wins(tmp_path: Path) -> None:
    write(tmp_path, '[tool.onnxfix]\ntarget = "trt8.6"\nselect = ["legacy"]\nunsafe-fixes = true\nverify = "none"')
    given = argparse.Namespace(target="rtx", select=["dtype", "OFX1"], unsafe_fixes=False, verify=None, model="m")
    assert settings(given, tmp_path) == Settings("rtx", ("dtype", "OFX1"), (), False, (), "none")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.onnxfix]\naims = 1", "tool.onnxfix.aims: unknown key (there are: target, targets, select, "),
        ("[tool.onnxfix]\ntargets = 1", "tool.onnxfix.targets: must be a list of targets"),
        ('[tool.onnxfix]\nper-file-ignores = ["a"]', "per-file-ignores: must be a table of lists of rules"),
        ("[tool.onnxfix]\nbaseline = 1", "tool.onnxfix.baseline: must be the path of a file"),
        ("[tool.onnxfix]\nunsafe_fixes = true", "tool.onnxfix.unsafe_fixes: unknown key"),
        ("[tool.onnxfix]\ntarget = 8.6", "tool.onnxfix.target: must be a text"),
        ('[tool.onnxfix]\nselect = "OFX1"', "tool.onnxfix.select: must be a list of rules"),
        ("[tool.onnxfix]\nignore = [1]", "tool.onnxfix.ignore: must be a list of rules"),
        ("[tool.onnxfix]\nunsafe-fixes = 1", "tool.onnxfix.unsafe-fixes: must be true or false"),
        ('[tool.onnxfix]\nverify = ["none"]', "tool.onnxfix.verify: must be one of none, numeric, engine"),
        ("[tool]\nonnxfix = 1", "tool.onnxfix: must be a table"),
        ("[tool.onnxfix", "pyproject.toml: cannot be read: "),
    ],
)
def test_mistakes_name_file_key_and_cause(text: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(OnnxfixError) as caught:
        settings(NOTHING, tmp_path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_command_obeys_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from onnxfix.cli.app import main

    write(folder, '[tool.onnxfix]\ntarget = "trt8.2"\nrules = ["own"]\nselect = ["USR001"]')
    monkeypatch.chdir(folder)
    capsys.readouterr()
    assert main(["check", "sick.onnx"]) == 1
    printed = capsys.readouterr().out
    assert "target TensorRT 8.2\nUSR001 warning" in printed
    assert main(["check", "sick.onnx", "--target", "trt8.6", "--ignore", "USR001"]) == 0
    assert "target TensorRT 8.6\nNo defects." in capsys.readouterr().out
