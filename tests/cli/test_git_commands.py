"""`onnxfix git ...` in real repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

ONE = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N,4] x) => (float[N,4] y) <float[4] w = {1, 2, 3, 4}> {
  a = Mul(x, w)
  y = Relu(a) }"""
TWO = ONE.replace("Relu", "Sigmoid").replace("{1, 2", "{1, 5")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A command in an empty repository, with a home and a configuration of its own."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "XDG_"))}
    names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**kept, **names, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"}

    def call(*words: str, code: int = 0, folder: str = "repo") -> subprocess.CompletedProcess[str]:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        command = [sys.executable, "-m", *words] if words[0] == "onnxfix" else [*words]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    call("git", "init", "-q", "-b", "main")
    return call


def save(text: str, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    onnx.save(onnx.parser.parse_model(text), place)


def commit(run: Run, message: str) -> None:
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", message)


@pytest.fixture
def history(run: Run, tmp_path: Path) -> Run:
    """ONE, then TWO, in m.onnx, after `git install`."""
    run("onnxfix", "git", "install")
    save(ONE, tmp_path / "repo" / "m.onnx")
    commit(run, "first")
    save(TWO, tmp_path / "repo" / "m.onnx")
    return run


def test_diff_uses_the_driver(history: Run) -> None:
    text = history("git", "diff").stdout
    assert text.startswith("diff --onnxfix a/m.onnx b/m.onnx\n--- a/m.onnx\n+++ b/m.onnx\n")
    assert "Relu → Sigmoid" in text
    assert "1 of 4 values differ" in text
    assert history("git", "diff", "--stat").stdout.strip().startswith("m.onnx")


def test_log_and_show_use_the_text(history: Run) -> None:
    commit(history, "second")
    for command in (("git", "log", "-p", "-1"), ("git", "show")):
        text = history(*command).stdout
        assert "-  y = Relu (a)" in text
        assert "+  y = Sigmoid (a)" in text
        changed = [line for line in text.splitlines() if line[1:].strip().startswith("weight float[4] #")]
        assert [line[0] for line in changed] == ["-", "+"]
    assert "Relu → Sigmoid" in history("git", "show", "--ext-diff").stdout


def test_files_come_go_and_move(history: Run, tmp_path: Path) -> None:
    commit(history, "second")
    save(ONE, tmp_path / "repo" / "new.onnx")
    (tmp_path / "repo" / "m.onnx").unlink()
    history("git", "add", "-A")
    assert "new model" in history("git", "diff", "--cached", "--", "new.onnx").stdout
    assert "deleted model" in history("git", "diff", "--cached", "--", "m.onnx").stdout
    assert "Sigmoid → Relu" in history("git", "diff", "--cached", "-M10%").stdout


def test_what_is_no_model_is_told(history: Run, tmp_path: Path) -> None:
    model = tmp_path / "repo" / "m.onnx"
    model.write_text(POINTER.format("1" * 64))
    commit(history, "a pointer")
    model.write_text(POINTER.format("2" * 64))
    text = history("git", "diff").stdout
    assert "Git-LFS pointer" in text
    assert f"-oid sha256:{'1' * 64}" in text and f"+oid sha256:{'2' * 64}" in text
    assert "Git-LFS pointer" in history("git", "log", "-p", "-1").stdout
    for content in (b"", b"nonsense", b"\x08\x08", model.read_bytes()[:20]):
        model.write_bytes(content)
        assert "m.onnx" in history("git", "diff").stdout
    model.unlink()
    model.symlink_to("/nowhere")
    history("git", "diff")


def test_weights_in_other_files(history: Run, tmp_path: Path) -> None:
    path = tmp_path / "repo" / "big.onnx"
    for scale in (1, 2):
        model = onnx.parser.parse_model(ONE)
        del model.graph.initializer[:]
        model.graph.initializer.append(numpy_helper.from_array(np.full(4 * scale, scale, np.float32), "w"))
        (path.parent / "big.bin").unlink(missing_ok=True)
        onnx.save(model, path, save_as_external_data=True, location="big.bin", size_threshold=0)
        if scale == 1:
            commit(history, "with weights")
    text = history("git", "diff", "--", "big.onnx").stdout
    assert "compared as text" in text and "is missing" in text
    assert "-  weight float[4] big.bin@0+16 w" in text
    assert "+  weight float[8] big.bin@0+32 w" in text


def test_unmerged_models(history: Run, tmp_path: Path) -> None:
    commit(history, "second")
    history("git", "checkout", "-q", "-b", "other", "HEAD~1")
    save(ONE.replace("Relu", "Tanh"), tmp_path / "repo" / "m.onnx")
    commit(history, "other")
    history("git", "merge", "main", code=1)
    assert "m.onnx" in history("git", "diff").stdout


def test_names_that_look_like_options(run: Run, tmp_path: Path) -> None:
    run("onnxfix", "git", "install")
    name = "-x \x1b[31m '$(touch broken)`.onnx"
    save(ONE, tmp_path / "repo" / name)
    commit(run, "odd")
    save(TWO, tmp_path / "repo" / name)
    text = run("git", "diff").stdout + run("git", "log", "-p").stdout
    assert "Relu → Sigmoid" in text and "\x1b" not in text
    assert not (tmp_path / "repo" / "broken").exists()


def test_nothing_is_imported_from_the_repository(history: Run, tmp_path: Path) -> None:
    for name in ("onnx", "onnxfix", "numpy", "json"):
        (tmp_path / "repo" / f"{name}.py").write_text("open('broken', 'w')")
    assert "Relu → Sigmoid" in history("git", "diff", "--", "m.onnx").stdout
    assert not (tmp_path / "repo" / "broken").exists()


@pytest.mark.parametrize("before", [None, b"", b"*.txt text\n", b"*.txt text", b"a\r\nb\r\n", b"*.onnx diff=onnxfix\n"])
@pytest.mark.parametrize("where", [(), ("--global",)])
def test_uninstall_leaves_no_trace(before: bytes | None, where: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    folder = tmp_path / ("home/.config/git" if where else "repo")
    folder.mkdir(parents=True, exist_ok=True)
    attributes = folder / ("attributes" if where else ".gitattributes")
    if before is not None:
        attributes.write_bytes(before)
    config = [run("git", "config", "--list").stdout]
    run("onnxfix", "git", "install", *where)
    run("onnxfix", "git", "install", *where)
    assert attributes.read_bytes().splitlines().count(b"*.onnx diff=onnxfix") == 1
    assert "diff.onnxfix.command" in run("git", "config", "--list").stdout
    assert run("git", "check-attr", "diff", "m.onnx").stdout == "m.onnx: diff: onnxfix\n"
    run("onnxfix", "git", "uninstall", *where)
    config.append(run("git", "config", "--list").stdout)
    assert config[0] == config[1]
    assert (attributes.read_bytes() if attributes.exists() else None) == before
    assert run("onnxfix", "git", "uninstall", *where).stdout == "nothing was installed here\n"


def test_lines_added_after_us_stay(run: Run, tmp_path: Path) -> None:
    attributes = tmp_path / "repo" / ".gitattributes"
    run("onnxfix", "git", "install")
    attributes.write_bytes(attributes.read_bytes() + b"*.bin binary\n")
    run("onnxfix", "git", "uninstall")
    assert attributes.read_bytes() == b"*.bin binary\n"


def test_mistakes_are_one_line(run: Run) -> None:
    assert "not a git repository" in run("onnxfix", "git", "install", folder="elsewhere", code=2).stderr
    assert "7 words" in run("onnxfix", "git", "driver", "a", "b", code=2).stderr
    assert run("onnxfix", "git", "textconv", "no.onnx").stdout.startswith("not a readable model")
