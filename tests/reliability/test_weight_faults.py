"""Weight files that are cut short, change or vanish, and full disks: one line, exit code 2, nothing half made."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

import onnxfix
from onnxfix.api.proof import Verification
from onnxfix.api.watch import watch
from onnxfix.errors import ModelFileError
from onnxfix.model import load
from tests.reliability.weighty import contents, run, saved

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file systems")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """See `saved`."""
    return saved(tmp_path)


def cut(path: Path) -> None:
    os.truncate(path, 1000)


def touch(path: Path) -> None:
    """Another program writes one byte in the middle, and the size stays."""
    with path.open("r+b") as file:
        file.seek(50_000)
        file.write(b"x")
    os.utime(path, ns=(1, 1))


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut": (cut, r"w\.bin(: changed while onnxfix worked with it|, which has 1000 bytes)"),
    "changed": (touch, r"w\.bin: changed while onnxfix worked with it"),
    "gone": (Path.unlink, r"w\.bin(: vanished or cannot be read any more while onnxfix worked|' is missing)"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("output", ["in/o.onnx", "out/o.onnx"])
@pytest.mark.parametrize(("verify", "stage"), [("none", "repairing"), ("numeric", "comparing")])
def test_a_weight_file_that_is_spoilt_meanwhile(
    model: Path, spoilt: str, output: str, verify: Verification, stage: str
) -> None:
    """The progress tells when: before the model is written, or before the numbers are compared."""
    spoil, said = SPOILT[spoilt]
    target = model.parents[1] / output
    before = set(contents(model.parent)) - ({"w.bin"} if spoilt == "gone" else set())

    def watch(text: str) -> None:
        if text.startswith(stage):
            spoil(model.parent / "w.bin")

    with pytest.raises(ModelFileError, match=said):
        onnxfix.repair(model, target, verify=verify, target="rtx1.7", progress=watch)
    assert set(contents(model.parent)) == before
    assert contents(target.parents[1] / "out") == {}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_check_says_so_too(model: Path, spoilt: str) -> None:
    """Otherwise the missing weights would look like a defect of the model."""
    spoil, said = SPOILT[spoilt]

    def watch(text: str) -> None:
        if text.startswith("asking the target"):
            spoil(model.parent / "w.bin")

    with pytest.raises(ModelFileError, match=said):
        onnxfix.check(model, target="rtx1.7", progress=watch)


@pytest.mark.parametrize("spoilt", SPOILT)
def test_engines_of_spoilt_weights_are_not_kept(model: Path, spoilt: str) -> None:
    """Nor is the library's complaint about them taken for a defect of the model; no sidecar describes other weights."""
    spoil, said = SPOILT[spoilt]
    once = [spoil]

    def see(_: object) -> None:
        if once:
            once.pop()(model.parent / "w.bin")

    plan = model.parents[1] / "out" / "m.plan"
    repaired = model.parent / "o.onnx"
    onnxfix.repair(model, repaired, verify="none", target="rtx1.7")
    with pytest.raises(ModelFileError, match=said):
        onnxfix.build(repaired, plan, target="rtx", progress=see)
    assert once == []
    assert contents(plan.parent) == {}
    for ask in (onnxfix.run, onnxfix.compare):
        (model.parent / "w.bin").write_bytes(bytes(192 * 3000 * 4))
        once = [spoil]
        with pytest.raises(ModelFileError, match=said):
            ask(repaired, progress=see)
        assert once == []


def test_an_engine_of_a_model_that_was_replaced_is_not_kept(model: Path) -> None:
    plan, whole = model.parents[1] / "out" / "m.plan", model.parent / "o.onnx"
    onnxfix.repair(model.parent / "whole.onnx", whole, verify="none", target="rtx1.7")

    def see(_: object) -> None:
        if whole.read_bytes() != model.read_bytes():
            shutil.copy(model, model.parent / "new")
            (model.parent / "new").replace(whole)

    with pytest.raises(ModelFileError, match=r"o\.onnx: changed while onnxfix worked with it"):
        onnxfix.build(whole, plan, target="rtx", progress=see)
    assert contents(plan.parent) == {}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("stage", ["watching", "watching values"])
def test_values_of_spoilt_weights_are_not_told(model: Path, spoilt: str, stage: str) -> None:
    """`check --run`, before and while the model runs."""
    spoil, said = SPOILT[spoilt]
    once = [spoil]

    def see(text: str) -> None:
        if once and text.startswith(stage):
            once.pop()(model.parent / "w.bin")

    onnxfix.repair(model, model.parent / "o.onnx", verify="none", target="rtx1.7")
    with pytest.raises(ModelFileError, match=said):
        watch(model.parent / "o.onnx", progress=see)


def test_a_model_file_cut_short_while_its_weights_are_copied(model: Path) -> None:
    """Its own bytes are read when the result is written: that a mapped file would end the process is why they are not
    mapped."""

    def watch(text: str) -> None:
        if text == "repairing":
            os.truncate(model.parent / "whole.onnx", 100_000)

    with pytest.raises(ModelFileError, match=r"whole\.onnx: changed while onnxfix worked with it"):
        onnxfix.repair(model.parent / "whole.onnx", model.parent / "o.onnx", verify="none", progress=watch)
    assert set(contents(model.parent)) == {"m.onnx", "w.bin", "whole.onnx"}


def test_a_model_replaced_meanwhile_is_repaired_as_it_was(model: Path) -> None:
    """As by another onnxfix in place: the file that was opened is still there without a name."""
    whole = model.parent / "whole.onnx"

    def watch(text: str) -> None:
        if text == "repairing":
            shutil.copy(model, model.parent / "new")
            (model.parent / "new").replace(whole)

    onnxfix.repair(whole, model.parent / "o.onnx", verify="none", progress=watch)
    (tensor,) = (t for t in onnx.load(model.parent / "o.onnx").graph.initializer if t.name == "w")
    assert numpy_helper.to_array(tensor).all()


LISTED = (
    "{mount} && {python} -m onnxfix repair {arguments} --verify none --target rtx1.7; code=$?; ls -A out; exit $code"
)


@pytest.mark.parametrize(
    ("kilobytes", "arguments", "said"),
    [
        (1000, "in/whole.onnx -o out/o.onnx", "out/o.onnx: cannot be written: No space left on device"),
        (
            1000,
            "in/m.onnx -o out/o.onnx --external-data embed",
            "out/o.onnx: cannot be written: No space left on device",
        ),
        (
            1000,
            "in/m.onnx -o out/o.onnx",
            "out/o.onnx: cannot be written: its weights take 2.3 MB, and 1.0 MB are free",
        ),
        (2252, "in/m.onnx -o out/o.onnx", "out/o.onnx: cannot be written: No space left on device"),
    ],
    ids=["the model", "weights inside", "weights beside", "the model behind its weights"],
)
def test_a_full_disk(model: Path, kilobytes: int, arguments: str, said: str) -> None:
    """A memory disk in a mount namespace of its own; the last one has room for the weights alone."""
    folder = model.parents[1]
    mount = f"mount -t tmpfs -o size={kilobytes}k none out"
    probe = run("unshare", "-rm", "sh", "-c", mount, cwd=folder)
    if probe.returncode:
        pytest.skip(f"no disk of its own can be mounted: {probe.stderr.strip()}")
    script = LISTED.format(mount=mount, python=sys.executable, arguments=arguments)
    done = run("unshare", "-rm", "sh", "-c", script, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"onnxfix: {said}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_new_tensors_that_find_no_room(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait in the folder for temporary files."""
    stored = load(model.parent / "whole.onnx")
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr("onnxfix.model.stored.tempfile.TemporaryFile", lambda: full)
        with pytest.raises(ModelFileError, match="cannot keep a new tensor: No space left on device"):
            stored.buffer.append(bytes(10_000))


@pytest.mark.parametrize("call", ["kernel", "by hand"])
def test_copies_by_the_kernel_and_by_hand(model: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """copy_file_range does not work between all file systems."""
    if call == "by hand" and hasattr(os, "copy_file_range"):

        def refused(*_: object) -> int:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "copy_file_range", refused)
    output = model.parents[1] / "out" / "o.onnx"
    onnxfix.repair(model, output, verify="none", target="rtx1.7", external_data="copy")
    assert output.with_name("o.onnx.data").read_bytes() == (model.parent / "w.bin").read_bytes()
