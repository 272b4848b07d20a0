"""`onnxfix inspect` and `onnxfix doctor`, with a GPU played where it matters."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from outside import Command

from onnxfix import sandbox
from onnxfix.api import doctor, engines
from onnxfix.engine import Flavour, cuda
from onnxfix.engine.driver import Driver, Gpu
from onnxfix.engine.inspector import Loaded, parse_layers
from onnxfix.engine.planfile import Machine, this_machine
from onnxfix.engine.probes import Library
from onnxfix.engine.records import Layer
from onnxfix.engine.tensors import IoTensor
from onnxfix.report.engines import doctor_lines, inspect_lines

ADA = Driver("570.1", "12.8", (Gpu("NVIDIA L4", "8.9", 24 << 30),))
TENSORS = (
    IoTensor("x", True, "float32", (-1, 3), ranges=(((1, 3), (1, 3), (4, 3)),)),
    IoTensor("y", False, "int32", ()),
)
INSIDE = Loaded(TENSORS, (Layer("k", "kgen", ("relu",), ("Half",)),), 4096, 12)


def text(lines: Any) -> str:
    """The lines without their styles."""
    return "\n".join("".join(piece if isinstance(piece, str) else piece[0] for piece in line) for line in lines)


@pytest.fixture
def plan(onnxfix: Command, folder: Path) -> Path:
    assert onnxfix("build", "well.onnx", "--target", "rtx", "--compute-capability", "8.9").returncode == 0
    return folder / "well.plan"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Plays a GPU on which loading a plan answers or raises what is given."""

    def play(answer: Any) -> None:
        class Child:
            def call(self, function: str, *_: Any, **__: Any) -> Any:
                if function.endswith(":invalidity"):
                    return ""
                if isinstance(answer, Exception):
                    raise answer
                return answer

        monkeypatch.setattr(engines, "this_machine", lambda: machine)
        monkeypatch.setattr(sandbox, "default", Child)

    machine = replace(this_machine(), driver=ADA)
    return play


@pytest.mark.usefixtures("plan")
def test_what_the_sidecar_tells_without_a_gpu(onnxfix: Command) -> None:
    if this_machine().driver.gpus:
        pytest.skip("this machine has a GPU")
    done = onnxfix("inspect", "well.plan")
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "compute capability 8.9",
        "well.onnx, SHA-256 ",
        "inputs     float32[?,3] x",
        "profile 0: sizes from 1x3 best 1x3 to 4x3",
        "layers     1, of the model, before they are fused",
        "ACTIVATION",
        "note: fused layers and memory are known to the engine only, which a GPU has to load",
        "Does not load here: an engine is loaded by a GPU's driver, and this machine has none",
    ):
        assert words in done.stdout
    report = json.loads(onnxfix("inspect", "well.plan", "--format", "json").stdout)
    assert (report["layers_from"], report["device_memory"], report["compute_capabilities"]) == ("model", -1, ["8.9"])
    assert report["sidecar"]["model"][0]["name"] == "well.onnx"
    assert [tensor["name"] for tensor in report["tensors"]] == ["x", "y"]


@pytest.mark.usefixtures("plan")
def test_without_a_sidecar_and_a_gpu(onnxfix: Command, folder: Path) -> None:
    if this_machine().driver.gpus:
        pytest.skip("this machine has a GPU")
    (folder / "well.plan.json").unlink()
    done = onnxfix("inspect", "well.plan")
    assert done.returncode == 0
    assert "well.plan.json is not there: inputs, outputs, profiles and layers, the model" in done.stdout


@pytest.mark.parametrize(("data", "words"), [(b"", "is empty"), (b"vtrt", "is truncated"), (b"hi", "is a text file")])
def test_no_plan(data: bytes, words: str, onnxfix: Command, folder: Path) -> None:
    (folder / "p.plan").write_bytes(data)
    done = onnxfix("inspect", "p.plan")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"onnxfix: p.plan: {words}")
    assert done.stderr.count("\n") == 1


def test_what_the_engine_tells_on_a_gpu(plan: Path, loads: Callable[[Any], None]) -> None:
    loads(INSIDE)
    report = engines.inspect(plan)
    assert (report.obstacle, report.layers_from, report.device_memory) == ("", "engine", 4096)
    shown = text(inspect_lines(report))
    assert "memory     activations 4.1 kB, weights 12 bytes" in shown
    assert "layers     1, as the engine runs them" in shown
    assert "kgen                   Half             relu" in shown
    assert shown.endswith("Loads here.")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (engines.OnnxfixError("does not load: bad magic"), "does not load: bad magic"),
        (sandbox.SandboxCrash("loaded", "SIGSEGV"), "loaded ended with SIGSEGV"),
    ],
)
def test_an_engine_that_does_not_load(failure: Exception, words: str, plan: Path, loads: Callable[[Any], None]) -> None:
    loads(failure)
    report = engines.inspect(plan)
    assert words in report.obstacle or words in text(inspect_lines(report))
    assert report.layers_from == "model"


def test_the_inspectors_json() -> None:
    names = '{"Layers": ["a", "b"], "Bindings": ["x"]}'
    assert list(parse_layers(names)) == [Layer("a", ""), Layer("b", "")]
    whole = (
        '{"Layers": [{"Name": "f", "LayerType": "kgen", "Metadata": "[ONNX Layer: r][ONNX Layer: s][ONNX Layer: r]",'
        ' "Outputs": [{"Format/Datatype": "Row major linear FP16 format"}, {"Datatype": "Int32"}, {}]}]}'
    )
    assert list(parse_layers(whole)) == [Layer("f", "kgen", ("r", "s"), ("float16", "int32"))]


def test_doctor(onnxfix: Command) -> None:
    done = onnxfix("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "module and library are 1." in done.stdout
    assert "CPUExecutionProvider" in done.stdout
    report = json.loads(onnxfix("doctor", "--format", "json").stdout)
    assert report["exit_code"] == 0
    assert report["summary"].startswith("repairs: yes; builds: yes; runs: ")
    assert {finding["topic"] for finding in report["findings"]} >= {"disk", "memory", "GPU", "ONNX Runtime", "PyCUDA"}


Answers = dict[str, Any]
GOOD: Answers = {"onnxruntime": ("1.32.0", ("CPUExecutionProvider",)), "library": Library("1.7.1.116", "1.7.1.116", "")}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[..., doctor.DoctorReport]:
    """The report of a machine whose probes answer, or raise, what is given."""

    def look(driver: Driver, flavours: tuple[Flavour, ...], **answers: Any) -> doctor.DoctorReport:
        class Child:
            def call(self, function: str, *_: Any, **__: Any) -> Any:
                answer = {**GOOD, **answers}[function.partition(":")[2]]
                if isinstance(answer, Exception):
                    raise answer
                return answer

        monkeypatch.setattr(doctor, "this_machine", lambda: Machine(flavours, driver, "Linux x86_64"))
        monkeypatch.setattr(doctor, "installed", lambda: list(flavours))
        monkeypatch.setattr(sandbox, "default", Child)
        return doctor.doctor()

    return look


RTX = (Flavour("tensorrt_rtx", "1.7.1.116", "12"),)
RTX13 = (Flavour("tensorrt_rtx", "1.7.1.116", "13"),)
BROKEN: list[tuple[Driver, tuple[Flavour, ...], Answers, int, str, str]] = [
    (ADA, (), {"pycuda": ("2025.1", "12.8.0", "NVIDIA L4")}, 1, "neither TensorRT nor TensorRT-RTX", "onnxfix[rtx]"),
    (ADA, RTX, {"library": sandbox.SandboxCrash("library", "SIGSEGV")}, 1, "ended with SIGSEGV", "--force-reinstall"),
    (
        ADA,
        RTX,
        {"library": Library("1.7.1.116", "1.6.1.120", "")},
        1,
        "the library it loads is 1.6.1.120",
        "LD_LIBRARY",
    ),
    (ADA, RTX, {"onnxruntime": sandbox.SandboxError("ImportError", "x")}, 1, "does not work: ImportError", "reinstall"),
    (
        ADA,
        RTX,
        {"library": Library("10.1", "10.1", "no device")},
        0,
        "makes no builder here: no device",
        "builds without",
    ),
    (ADA, RTX, {"pycuda": engines.OnnxfixError("PyCUDA is not installed", hint="pip")}, 0, "cannot run: PyCUDA", "pip"),
    (ADA, RTX, {"pycuda": ("2025.1", "13.0.0", "L4")}, 0, "is for CUDA 13.0.0, the driver serves 12.8", "newer driver"),
    (ADA, RTX, {"pycuda": ("2025.1", "12.4.0", "L4")}, 0, "a context was made and left on L4", ""),
    (
        Driver(problem="the driver sees no device"),
        RTX,
        {},
        0,
        "the driver sees no device; engines are built",
        "nvidia-smi",
    ),
]


@pytest.mark.parametrize(("driver", "flavours", "answers", "code", "message", "fix"), BROKEN)
def test_each_finding_has_its_fix(
    driver: Driver,
    flavours: tuple[Flavour, ...],
    answers: Answers,
    code: int,
    message: str,
    fix: str,
    found: Callable[..., doctor.DoctorReport],
) -> None:
    report = found(driver, flavours, **{"pycuda": ("2025.1", "12.8.0", "NVIDIA L4"), **answers})
    assert report.exit_code == code
    (finding,) = [item for item in report.findings if message in item.message]
    assert fix in finding.fix
    assert (finding.level == "error") is bool(code)
    assert message in text(doctor_lines(report))


def test_what_works(found: Callable[..., doctor.DoctorReport], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "installed", lambda: True)
    whole = found(ADA, RTX, pycuda=("2025.1", "12.8.0", "NVIDIA L4"))
    assert whole.summary == "repairs: yes; builds: yes; runs: yes"
    nothing = found(Driver(problem="no driver"), (), onnxruntime=sandbox.SandboxError("ImportError", "x"))
    assert nothing.summary == "repairs: not proven by numbers; builds: no TensorRT; runs: no device"
