"""YOLOv3, YOLOv3-tiny and YOLOv2 at five opsets, with the ailments people meet: repaired, equal, built."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import onnxfix
from fixtures import darknet

NAMES = ("yolov3", "yolov3-tiny", "yolov2")
OPSETS = (5, 7, 8, 9, 11)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("detectors")


def broken(folder: Path, name: str, opset: int, *, dynamic_batch: bool = False) -> Path:
    path = folder / f"{name}-{opset}{'-dynamic' * dynamic_batch}.onnx"
    if not path.exists():
        model = darknet.build(name, opset=opset, size=64, width=0.0625, classes=4, dynamic_batch=dynamic_batch)
        onnx.save(model, path)
    return path


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", NAMES)
def test_repaired_equal_and_built(folder: Path, name: str, opset: int) -> None:
    path = broken(folder, name, opset)
    before = path.read_bytes()
    report = onnxfix.repair(path, folder / f"{name}-{opset}.out.onnx", target="rtx1.7")
    assert [(check.kind, check.outcome) for check in report.verdict.checks] == [
        ("structural", "passed"),
        ("numeric", "passed"),
        ("engine", "passed"),
    ]
    assert report.exit_code == 0
    assert report.remaining == ()
    assert path.read_bytes() == before
    repaired = onnx.load(report.output)
    assert len(repaired.graph.output) == {"yolov3": 3, "yolov3-tiny": 2, "yolov2": 1}[name]
    kinds = {node.op_type for node in repaired.graph.node}
    assert not kinds & {"Shape", "Gather", "Cast"}, "the shape chains are constants"
    assert "Upsample" not in kinds or report.after.opset < 10


@pytest.mark.parametrize("name", NAMES)
def test_a_second_repair_finds_nothing(folder: Path, name: str) -> None:
    first = onnxfix.repair(broken(folder, name, 11), folder / f"{name}.once.onnx", verify="none")
    again = onnxfix.repair(first.output, verify="none")
    assert again.fixes == ()
    assert again.exit_code == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_dynamic_batch_stays_dynamic(folder: Path, name: str) -> None:
    path = broken(folder, name, 11, dynamic_batch=True)
    report = onnxfix.repair(path, folder / f"{name}.dynamic.onnx", target="rtx1.7")
    assert report.verdict.outcome == "passed"
    numeric = report.verdict.of("numeric")
    assert numeric is not None
    assert "batch=1" in numeric.reason
    assert "batch=2" in numeric.reason
    assert onnx.load(report.output).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("name", NAMES)
def test_for_a_jetson_nano(folder: Path, name: str) -> None:
    """TensorRT 8.2 reads int64 as int32: what can be int32 is, and the numbers stay."""
    report = onnxfix.repair(
        broken(folder, name, 11), folder / f"{name}.nano.onnx", target="jetson-nano", verify="numeric"
    )
    assert report.verdict.outcome == "passed"
    assert report.output


@pytest.mark.parametrize("opset", (9, 13))
def test_opset_conversion(folder: Path, opset: int) -> None:
    report = onnxfix.repair(
        broken(folder, "yolov3", 11), folder / f"yolov3.to{opset}.onnx", opset=opset, verify="numeric"
    )
    assert report.after.opset == opset
    assert report.verdict.outcome == "passed"
