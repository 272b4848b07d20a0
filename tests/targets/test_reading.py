"""A message without a known cause: who says it, about what, and what finds out more."""

from __future__ import annotations

import time

import pytest

from onnxfix.api.explain import explain
from onnxfix.report.explain import explain_lines
from onnxfix.targets import Log, advise, read_message
from onnxfix.targets.tables import table

UNKNOWN = "[E] Error[9]: [shapeContext.cpp::frob::12] Error Code 9: node /layers.0/Conv_12 is frobnicated: failed"


def test_what_is_read() -> None:
    reading = read_message(Log.of(f"&&&& RUNNING TensorRT.trtexec [TensorRT v8503] # trtexec\n{UNKNOWN}\n"))
    assert reading and not advise(UNKNOWN)
    assert (reading.program, reading.phase, reading.line) == ("TensorRT's builder", "building", 2)
    assert (reading.operators, reading.targets) == (("Conv",), ("trt8.5",))
    assert reading.known[0].startswith("Conv has an importer in: ")
    assert reading.command == "onnxfix reduce MODEL -o SMALL.onnx --check build"


@pytest.mark.parametrize(
    ("text", "program", "phase", "command"),
    [
        ("ERROR: ModelImporter.cpp:9: frob failed", "TensorRT's ONNX parser", "parsing", "onnxfix check MODEL"),
        ("[E] IRuntime::frob: failed", "TensorRT's reader of plans", "loading", "onnxfix inspect MODEL.plan"),
        ("[E] IExecutionContext::frob failed", "TensorRT's runtime", "running", "onnxfix run MODEL.plan"),
        ("onnxruntime: frob failed", "ONNX Runtime", "running", "onnxfix check MODEL"),
        ("torch.onnx frob failed", "PyTorch's exporter", "exporting", "onnxfix check MODEL"),
        ("error: metadata-generation-failed", "pip", "installing", "onnxfix doctor"),
    ],
)
def test_programs_and_phases(text: str, program: str, phase: str, command: str) -> None:
    reading = read_message(Log.of(text))
    assert reading and (reading.program, reading.phase, reading.command) == (program, phase, command)


@pytest.mark.parametrize("text", ["", "all is well", "the coffee failed", "[TRT] Conv_12 took 3 ms"])
def test_what_is_no_error_of_a_program_is_not_read(text: str) -> None:
    assert read_message(Log.of(text)) is None


def test_the_release_goes_into_the_command() -> None:
    reading = read_message(Log.of("TensorRT 8.6.1\nModelImporter.cpp:9: failed"))
    assert reading and reading.command == "onnxfix check MODEL --target trt8.6"


def test_it_is_not_told_as_a_cause() -> None:
    report = explain(UNKNOWN.replace("Conv_12", "NonZero_12"))
    assert (report.advice, report.exit_code) == ((), 1)
    assert report.reading and report.reading.rules
    first, *rest = [
        "".join(part if isinstance(part, str) else part[0] for part in line) for line in explain_lines(report)
    ]
    assert first.startswith("No cause is known for this message.")
    assert not any(line.lstrip().startswith(("means", "repair")) for line in rest)
    assert explain("explicit_context_dependent failed: invalid device context").reading is None


def test_many_errors_of_nobody_take_little_time() -> None:
    start = time.process_time()
    assert (
        read_message(Log.of("".join(f"{'x' * (n % 300)} {chr(97 + n % 26)} failed\n" for n in range(20_000)))) is None
    )
    assert time.process_time() - start < 10


def test_every_phase_has_a_command() -> None:
    facts = table("programs")
    assert {row["does"] for row in facts["programs"]} <= {*facts["next"]}
