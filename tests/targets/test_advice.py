"""What users see, and what onnxfix says about it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

import benchmarks.explain
from onnxfix.cli.app import COMMANDS
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.targets import advice_ids, advice_named, advise, resolve
from onnxfix.targets.entries import advice_entries
from onnxfix.targets.tables import table

ERRORS: list[dict[str, Any]] = table("parser_errors")["errors"]
ENTRIES = advice_entries()
REPAIRS: dict[str, dict[str, Any]] = table("repairs")["repairs"]
CODES = {rule.code for rule in load_rules()}

SAID = [
    ("Op registered for Upsample is deprecated in domain_version of 11", "upsample-deprecated"),
    ("Op registered for Scatter is deprecated in domain_version of 11", "deprecated-operator"),
    ("[TensorRT] ERROR: Network must have at least one output", "no-output-two-causes"),
    (
        "Your ONNX model has been generated with INT64 weights, while TensorRT does not natively support INT64. "
        "Attempting to cast down to INT32.",
        "int64-narrowed",
    ),
    ("One or more weights outside the range of INT32 was clamped", "int64-clamped"),
    ("pycuda._driver.LogicError: explicit_context_dependent failed: invalid device context - no currently active "
     "context?", "device-context"),
    ("PyCUDA ERROR: The context stack was not empty upon module cleanup.", "context-stack"),
    ("UnicodeDecodeError: 'utf-8' codec can't decode byte 0x93 in position 10: invalid start byte", "plan-as-text"),
    ("TypeError: deserialize_cuda_engine(): incompatible function arguments.", "plan-as-text"),
    ("the boxes have a very low confidence", "low-confidence"),
    ("The engine plan file is generated on an incompatible device, expecting compute 6.1 got compute 8.6",
     "plan-mismatch"),
    ("AttributeError: module 'numpy' has no attribute 'bool'.", "numpy-bool"),
    ("no implementation", "no-implementation"),
    ("Using an engine plan file across different models of devices is not recommended", "other-gpu-model"),
    ("AttributeError: 'ICudaEngine' object has no attribute 'get_binding_shape'", "binding-api"),
    ("10: [optimizer.cpp::computeCosts::2011] Error Code 10: Could not find any implementation for node Conv_0.",
     "no-implementation"),
    ("[W] CUDA lazy loading is not enabled. Enabling it can significantly reduce device memory usage", "lazy-loading"),
    ("TensorRT was linked against cuDNN 8.6.0 but loaded cuDNN 8.2.1", "linked-against"),
    ("The onnx model has a newer ir_version (0.0.9) than this parser was built against (0.0.8)", "newer-ir"),
    ("Fail: [ONNXRuntimeError] : Unsupported model IR version: 10, max supported IR version: 9", "ir-refused"),
    ("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for Conv(11)", "not-implemented"),
    ("Type Error: Type parameter (T) of Optype (Add) bound to different types (tensor(float) and tensor(int64))",
     "bound-to-different-types"),
    ("onnx.onnx_cpp2py_export.checker.ValidationError: Nodes in a graph must be topologically sorted",
     "topological-order"),
    ("Graph must be in single static assignment (SSA) form, however 'x' has been used as output", "single-assignment"),
    ("ImportError: libnvinfer.so.8: cannot open shared object file: No such file or directory", "library-missing"),
    ("CUDA initialization failure with error: 35", "cuda-init"),
    ("pycuda._driver.MemoryError: cuMemAlloc failed: out of memory", "out-of-memory"),
    ("Make sure output x has Int64 binding. Tensor inner will not be queryable", "not-queryable"),
    ("Detected layernorm nodes in FP16: a/b", "layer-norm-fp16"),
    ("Weights [name=conv1] had the following issues: Detected subnormal FP16 values.", "subnormal-weights"),
    ("Cannot deserialize plugin since corresponding IPluginCreator not found in Plugin Registry", "plugin-at-load"),
    ("FAIL : Fatal error: mmcv:grid_sampler(1) is not a registered function/op", "no-such-operator"),
    ("INVALID_GRAPH : Unrecognized attribute: axes for operator ReduceMean", "unknown-attribute"),
    ("External data path does not exist: model.onnx.data", "external-data"),
    ("ValueError: Message onnx.ModelProto exceeds maximum protobuf size of 2GB: 3221225472", "too-large"),
    ("google.protobuf.message.DecodeError: Error parsing message with type 'onnx.ModelProto'", "no-onnx-file"),
    ("version https://git-lfs.github.com/spec/v1", "lfs-pointer"),
    ("INVALID_ARGUMENT : Got invalid dimensions for input: x for the following indices", "input-mismatch"),
    ("Exporting the operator 'aten::fft_rfft' to ONNX opset version 14 is not supported.", "export-unsupported"),
    ("TracerWarning: Converting a tensor to a Python boolean might cause the trace to be incorrect", "tracer-warning"),
    ("ImportError: libnvonnxparser.so.8: undefined symbol: getBuilderPluginRegistry", "undefined-symbol"),
    ("IExecutionContext::enqueueV3: Error Code 3: API Usage Error (Parameter check failed, condition: "
     "mContext.profileObliviousBindings.at(profileObliviousIndex) != nullptr. Address is not set for input tensor x.",
     "address-not-set"),
    ("parameter check failed at engine.cpp::resolveSlots::1092, condition: allInputDimensionsSpecified(routine)",
     "shape-not-set"),
    ("condition: batchSize > 0 && batchSize <= mEngine.getMaxBatchSize()", "batch-size"),
    ("Dynamic dimensions required for input: x, but no shapes were provided. Automatically overriding shape to: 1x1",
     "shape-overridden"),
    ("Static model does not take explicit shapes since the shape of inference tensors will be determined by the model "
     "itself", "shape-of-static"),
    ("Layer '/model.24/Constant_1_output_0' (CONSTANT): Unsupported on DLA. Switching this layer's device type to GPU.",
     "dla-fallback"),
    ("TypeError: Descriptors cannot not be created directly.", "protobuf-generated"),
    ("ImportError: DLL load failed while importing onnx_cpp2py_export: A dynamic link library (DLL) initialization "
     "routine failed.", "windows-dll"),
    ("ERROR: Failed building wheel for pycuda", "pycuda-build"),
    ("Non-zero status code returned while running Mul node. Name:'/time_proj/Mul' Status Message: x",
     "ort-node-failed"),
    ("[E] Engine set up failed", "build-failed"),
    ("RuntimeError: CUDA error: no kernel image is available for execution on the device", "kernel-image"),
    ("[executionContext.cpp::execute::475] Error Code 3: API Usage Error (Parameter check failed at: x)", "api-usage"),
    ("In node 3 (parseGraph): UNSUPPORTED_NODE: x", "parser-refused"),
    ("[ONNXRuntimeError] : 1 : FAIL : x", "runtime-refused"),
    ("onnx.onnx_cpp2py_export.checker.ValidationError: x", "checker-refused"),
    ("torch.onnx.errors.SymbolicValueError: x", "export-failed"),
    ("Segmentation fault (core dumped)", "crash"),
    ("ERROR: builtin_op_importers.cpp:2179 In function importPad:", "importer-refused"),
    ("[ShapeInferenceError] x", "shape-inference"),
    ("CUDA error 46: all CUDA-capable devices are busy or unavailable", "cuda-busy"),
    ("cudaGraphLaunch: operation not permitted when stream is capturing", "cuda-capture"),
    ("CUDA error 43", "cuda-error"),
    ("cudaErrorECCUncorrectable", "cuda-hardware"),
    ("CUDA error: too many resources requested for launch", "cuda-launch"),
    ("cuModuleGetFunction failed: named symbol not found", "cuda-module"),
    ("CUDA_ERROR_LAUNCH_TIMEOUT", "cuda-timeout"),
    ("Cuda failure: 999", "cuda-unknown"),
    ("CUDA Runtime Error: operation not supported", "cuda-unsupported"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), SAID, ids=[f"{name}-{len(text)}" for text, name in SAID])
def test_what_users_see(text: str, name: str) -> None:
    found = {advice.id: advice for advice in advise(f"line before\n{text}\nline behind")}
    advice = found[name]
    assert (advice.line, advice.count) == (2, advice.count)
    assert advice.fragment in text
    assert advice.cause and advice.do and advice.affects and advice.source


def test_every_entry_is_tried() -> None:
    pasted = {message["cause"] for message in benchmarks.explain.pasted()["messages"]}
    assert {entry["id"] for entry in ENTRIES} <= {name for _, name in SAID} | pasted


def test_names_are_unique_and_known() -> None:
    names = advice_ids()
    assert len(set(names)) == len(names) == len(ERRORS) + len(ENTRIES)
    assert {name for entry in ENTRIES for name in entry.get("covers", ())} <= set(names)
    assert advice_named("nothing") is None


@pytest.mark.parametrize("name", advice_ids())
def test_every_cause_says_what_to_do(name: str) -> None:
    advice = advice_named(name)
    assert advice is not None
    assert advice.cause and advice.affects and advice.do and advice.source
    assert set(advice.rules) <= CODES
    assert not advice.rules or advice.command
    if advice.command:
        program, command, *arguments = shlex.split(advice.command)
        assert (program, command in COMMANDS) == ("onnxfix", True)
        _parses(command, arguments)


def _parses(command: str, arguments: list[str]) -> None:
    from importlib import import_module

    from onnxfix.cli.app import Parser

    module, parser = import_module(f"onnxfix.cli.{command}"), Parser("onnxfix")
    module.declare(parser)
    parser.parse_args(arguments)


def test_every_repair_word_is_explained() -> None:
    assert {word for entry in ERRORS for word in entry["repairs"]} == set(REPAIRS)


def test_causes_come_before_what_is_harmless() -> None:
    log = "[W] CUDA lazy loading is not enabled\n" * 3 + "[E] Could not find any implementation for node a\n"
    first, second = advise(log)
    assert (first.id, first.line) == ("no-implementation", 4)
    assert (second.id, second.line, second.count, second.harmless) == ("lazy-loading", 1, 3, True)


def test_causes_come_before_what_follows_from_them() -> None:
    log = """AttributeError: 'NoneType' object has no attribute 'serialize'
[TensorRT] ERROR: Network must have at least one output
In node 0 (importModel): INVALID_GRAPH: Assertion failed: tensors.count(input_name)
[E] Engine set up failed
"""
    found = advise(log)
    assert [(advice.id, advice.line, advice.follows) for advice in found] == [
        ("input-undefined", 3, False),
        ("none-engine", 1, True),
        ("no-output-two-causes", 2, True),
    ]


def test_general_words_are_for_what_nothing_else_is_known_of() -> None:
    text = "[8] Assertion failed: inputs.at(1).is_weights()"
    assert [advice.id for advice in advise(f"In function importPad:\n{text}")] == ["must-be-initializer-generic"]
    assert [advice.id for advice in advise("In function importPad:\n[8] Assertion failed: x")] == ["importer-refused"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No importer registered for op: NonZero", "NonZero has an importer in: TensorRT 8.5 and later"),
        ("No importer registered for op: DCNv2", "DCNv2: no operator of ONNX"),
        ("No Op registered for DCNv2 with domain_version of 12", "DCNv2 is no operator of ONNX"),
        ("No Op registered for Relu with domain_version of 12", "ONNX has Relu in opset 12"),
        ("No Op registered for GridSample with domain_version of 12", "GridSample came after opset 12"),
        ("Target GPU SM 61 is not supported by this TensorRT release.", "6.1 is one for TensorRT 7.1 to 9.3"),
        ("Unsupported SM: 0x809", "8.9 is one for TensorRT 8.5 and later"),
        ("Target GPU SM 120 is not supported", "12.0 is one for TensorRT 10.8 and later"),
    ],
)
def test_what_a_message_names_is_looked_up(text: str, said: str) -> None:
    assert said in advise(text)[0].do[0]


def test_a_message_that_matches_twice_in_a_line_is_told_once() -> None:
    (advice,) = advise("explicit_context_dependent failed: invalid device context - no currently active context?")
    assert (advice.id, advice.count) == ("device-context", 1)


def test_the_command_is_for_a_release_that_says_so() -> None:
    (noise,) = advise("Your ONNX model has been generated with INT64 weights", None)
    assert noise.command == "onnxfix repair MODEL --target trt8.6"
    assert (
        advise("generated with INT64 weights", resolve("trt7.2"))[0].command == "onnxfix repair MODEL --target trt7.2"
    )
    old = advice_named("slice-axes")
    assert old is not None and old.command == "onnxfix repair MODEL --target trt10.1"


def test_a_file_that_is_no_plan_is_not_told_as_the_plan_of_another_release() -> None:
    said = "Serialization (Serialization assertion magicTagRead == kMAGIC_TAG failed.Magic tag does not match)"
    assert [advice.id for advice in advise(said)] == ["plan-header"]


def test_the_target_is_asked_about() -> None:
    text = "Pre-opset 7 broadcasting is unsupported in this version of the ONNX parser"
    (old,) = advise(text, resolve("trt8.2"))
    assert old.expected is True
    assert old.command == "onnxfix repair MODEL --opset 13 --target trt8.2"
    assert advise("all is well") == []
