"""Where the weights are when a model is written: referred to, copied, cloned, linked or put into the model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import onnxfix
from onnxfix.errors import ModelFileError
from onnxfix.model import ExternalData, Weights, load, place_of, weight_files
from onnxfix.model.weights import size_text

TEXT = """<ir_version: 8, opset_import: ["" : 11]> g (float[1,3,4,4] x) => (float[1,3000] z) {
    big = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)
    flat = Flatten (big)
    z = MatMul (flat, w)
}"""
W = np.random.default_rng(0).random((192, 3000), np.float32)
MODES = get_args(ExternalData)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """in/m.onnx with 2.3 MB of weights in in/w.bin, and a folder out."""
    proto = onnx.parser.parse_model(TEXT)
    proto.graph.initializer.append(numpy_helper.from_array(W, "w"))
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    onnx.save(proto, tmp_path / "in" / "m.onnx", save_as_external_data=True, location="w.bin")
    return tmp_path / "in" / "m.onnx"


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def weights_of(path: Path) -> np.ndarray:
    """The values of w, as ONNX Runtime's own reader of external data finds them."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.zeros((1, 3, 4, 4), np.float32)
    x[0, 0, 0, 0] = 1
    (row,) = session.run(None, {"x": x})
    return np.asarray(row)


def repaired(model: Path, output: Path, mode: ExternalData) -> onnxfix.RepairReport:
    return onnxfix.repair(model, output, external_data=mode, verify="none", target="rtx1.7")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", ["in", "out", "."])
def test_every_mode_in_the_same_folder_another_and_the_one_above(model: Path, mode: ExternalData, place: str) -> None:
    output = model.parents[1] / place / "o.onnx"
    if mode == "reference" and place == "out":
        with pytest.raises(ModelFileError, match=r"o\.onnx: cannot refer to the weights in .*w\.bin"):
            repaired(model, output, mode)
        assert names(output.parent) == []
        return
    before = (model.parent / "w.bin").read_bytes()
    report = repaired(model, output, mode)
    expected = W[[0, 1, 8, 9]].sum(axis=0, keepdims=True)
    np.testing.assert_allclose(weights_of(output), expected, rtol=1e-6)
    here = mode == "reference" or (mode == "auto" and place == "in")
    wanted = {"in": "w.bin", ".": "in/w.bin"}[place] if here else "o.onnx.data"
    assert weight_files(load(output)) == ([] if mode == "embed" else [wanted])
    assert any(("inside the model" if mode == "embed" else wanted) in note for note in report.notes)
    assert (model.parent / "w.bin").read_bytes() == before
    assert not [name for name in names(output.parent) if name.endswith("onnxfix-tmp")]


def test_a_copy_outlives_the_original(model: Path, tmp_path: Path) -> None:
    repaired(model, tmp_path / "out" / "o.onnx", "auto")
    shutil.rmtree(model.parent)
    np.testing.assert_array_equal(weights_of(tmp_path / "out" / "o.onnx").shape, (1, 3000))
    onnx.checker.check_model(tmp_path / "out" / "o.onnx", full_check=True)


def test_a_link_is_the_same_file_and_onnx_itself_refuses_it(model: Path, tmp_path: Path) -> None:
    """The note says so: that is why no link is made unasked."""
    report = repaired(model, tmp_path / "out" / "o.onnx", "link")
    assert (tmp_path / "out" / "o.onnx.data").samefile(model.parent / "w.bin")
    assert any("refuse files with several links" in note for note in report.notes)
    with pytest.raises(onnx.checker.ValidationError, match="multiple hard links"):
        onnx.checker.check_model(tmp_path / "out" / "o.onnx")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system here")
def test_no_link_across_file_systems(model: Path) -> None:
    folder = Path("/dev/shm", f"onnxfix-test-{os.getpid()}")
    folder.mkdir()
    try:
        if folder.stat().st_dev == model.stat().st_dev:
            pytest.skip("/dev/shm is on the same file system")
        with pytest.raises(ModelFileError, match=r"cannot be linked: .* \(use --external-data copy\)"):
            repaired(model, folder / "o.onnx", "link")
        assert names(folder) == []
        repaired(model, folder / "o.onnx", "copy")
        assert names(folder) == ["o.onnx", "o.onnx.data"]
    finally:
        shutil.rmtree(folder)


def test_in_place_the_weights_stay(model: Path) -> None:
    stamp = (model.parent / "w.bin").stat()
    report = onnxfix.repair(model, in_place=True, verify="none", target="rtx1.7")
    assert report.output == str(model)
    assert report.notes[-1] == "the weights (2.3 MB) stay in w.bin; keep the model beside them"
    assert (model.parent / "w.bin").stat().st_mtime_ns == stamp.st_mtime_ns
    assert names(model.parent) == ["m.onnx", "w.bin"]


def test_weights_of_an_earlier_result_are_named(model: Path, tmp_path: Path) -> None:
    """They are no longer needed by what is there now; whether by another model, nobody can tell."""
    output = tmp_path / "out" / "o.onnx"
    first, second = (repaired(model, output, "copy").notes[-1] for _ in range(2))
    assert first == "the weights (2.3 MB) are copied to o.onnx.data; keep the model beside them"
    assert second == (
        "the weights (2.3 MB) are copied to o.onnx.1.data; keep the model beside them; o.onnx.data of the model that "
        "was there before stays: delete it when no other model needs it"
    )
    assert names(output.parent) == ["o.onnx", "o.onnx.1.data", "o.onnx.data"]


def test_unused_weights_are_not_copied(model: Path, tmp_path: Path) -> None:
    with (model.parent / "w.bin").open("ab") as file:
        file.truncate(1 << 30)
    repaired(model, tmp_path / "out" / "o.onnx", "copy")
    assert (tmp_path / "out" / "o.onnx.data").stat().st_size == W.nbytes


def test_tensors_are_copied_once_for_all_candidates(model: Path, tmp_path: Path) -> None:
    original = load(model)
    with Weights(original, tmp_path / "out" / "o.onnx") as weights:
        places = [place_of(weights.placed(original).proto.graph.initializer[0]) for _ in range(3)]
        (copy,) = (tmp_path / "out").iterdir()
        assert copy.stat().st_size == W.nbytes
        assert places == [(copy.name, 0, W.nbytes)] * 3
    assert names(tmp_path / "out") == []


def test_a_disk_with_too_little_room_is_told_before(model: Path, tmp_path: Path) -> None:
    """10 TB in a sparse file."""
    proto = onnx.load(model, load_external_data=False)
    tensor = proto.graph.initializer[0]
    tensor.dims[:] = [192, 10**13 // 4 // 192]
    for entry in tensor.external_data:
        entry.value = {"length": str(4 * tensor.dims[0] * tensor.dims[1]), "offset": "0"}.get(entry.key, entry.value)
    del proto.graph.output[0].type.tensor_type.shape.dim[1:]
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    model.write_bytes(proto.SerializeToString())
    with (model.parent / "w.bin").open("wb") as file:
        file.truncate(10**13)
    with pytest.raises(ModelFileError, match=r"its weights take 10000 GB, and .* are free"):
        repaired(model, tmp_path / "out" / "o.onnx", "auto")
    with pytest.raises(ModelFileError, match="protobuf allows 2 GiB"):
        repaired(model, tmp_path / "out" / "o.onnx", "embed")
    assert names(tmp_path / "out") == []


MOUNTED = """
set -e
truncate -s 400M disk.img; mkfs.xfs -q -m reflink=1 disk.img; mkdir disk; mount -o loop disk.img disk
trap 'umount disk' EXIT
cp -r in disk/in; mkdir disk/out
{python} -m onnxfix repair disk/in/m.onnx --verify none --target rtx1.7 -o disk/out/o.onnx
cmp disk/in/w.bin disk/out/o.onnx.data
filefrag -v disk/out/o.onnx.data
"""


def test_a_file_system_that_shares_blocks_clones(model: Path) -> None:
    """XFS on a loop device, where that is allowed."""
    if not shutil.which("mkfs.xfs") or not shutil.which("filefrag"):
        pytest.skip("mkfs.xfs or filefrag is not installed")
    probe = subprocess.run(["unshare", "-m", "losetup", "-f"], capture_output=True, check=False)
    if os.geteuid() or probe.returncode or not Path(probe.stdout.decode().strip()).exists():
        pytest.skip("no loop device can be mounted here")
    command = ["unshare", "-m", "bash", "-c", MOUNTED.format(python=sys.executable)]
    done = subprocess.run(command, cwd=model.parents[1], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "shares its blocks on disk with the original" in done.stdout
    assert "shared" in done.stdout.rsplit("\n", 3)[-3]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_300_000, "2.3 MB"), (10**13, "10000 GB")],
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert size_text(count) == text
