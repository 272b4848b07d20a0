"""The parts of the stand-in module: a network of one Relu on a float[N,3] input, and a builder that takes it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from standin import Bound, Module, enumeration, tensor


class HostMemory(bytes):
    @property
    def nbytes(self) -> int:
        return len(self)


def _builder(module: Module) -> Any:
    def make(log: Any) -> Any:
        assert isinstance(log, module.ILogger)
        if module.refuse_builder:
            log.log(module.ILogger.Severity.ERROR, "no device")
            raise TypeError("factory returned nullptr")
        return Bound(
            module,
            "Builder",
            create_builder_config=lambda: _config(module),
            create_network=lambda flags: _network(module, flags),
            create_optimization_profile=lambda: Bound(
                module, "IOptimizationProfile", set_shape=lambda *_: None, set_shape_input=lambda *_: None
            ),
            build_serialized_network=lambda network, config: _built(module, network, config),
        )

    return make


def _built(module: Module, network: Any, config: Any) -> HostMemory:
    watch = getattr(config, "progress_monitor", None)
    if watch is not None:
        watch.phase_start("Building engine", None, 2)
        assert watch.step_complete("Building engine", 0)
        watch.phase_finish("Building engine")
    assert network.num_outputs == 1
    module.config = config
    return HostMemory(b"ftrt plan")


def _config(module: Module) -> Any:
    cache = SimpleNamespace(serialize=lambda: b"measured")
    module.flags = []
    return Bound(
        module,
        "IBuilderConfig",
        set_flag=module.flags.append,
        clear_flag=lambda flag: module.flags.append(("cleared", flag)),
        add_optimization_profile=lambda _: 0,
        set_memory_pool_limit=lambda pool, size: module.flags.append((pool, size)),
        max_workspace_size=0,
        hardware_compatibility_level=0,
        progress_monitor=None,
        profiling_verbosity=0,
        num_compute_capabilities=0,
        set_compute_capability=lambda member, index: module.flags.append((member, index)),
        create_timing_cache=lambda data: None if data == b"other" else cache,
        set_timing_cache=lambda given, ignore: given is cache and not ignore,
        get_timing_cache=lambda: cache,
    )


def _network(module: Module, flags: int) -> Any:
    module.network_flags = flags  # type: ignore[attr-defined]
    ends = [tensor(module, "x", (-1, 3), ("N", "")), tensor(module, "y", (-1, 3))]
    kind = SimpleNamespace(name="ACTIVATION")
    layer = Bound(
        module,
        "ILayer",
        name="relu",
        type=kind,
        metadata="[ONNX Layer: relu]",
        num_outputs=1,
        get_output=ends[1:].__getitem__,
    )
    return Bound(
        module,
        "INetworkDefinition",
        get_flag=lambda flag: _is_strong(module, flags, flag),
        num_inputs=1,
        get_input=ends.__getitem__,
        num_outputs=1,
        get_output=ends[1:].__getitem__,
        num_layers=1,
        get_layer=[layer].__getitem__,
    )


def _is_strong(module: Module, flags: int, flag: Any) -> bool:
    """1.4 of TensorRT-RTX, and what came after 10.x and it, are strongly typed whatever is asked."""
    weak = module.track == "trt" and module.offers("BuilderFlag.FP16")
    return bool(flags >> int(flag) & 1) or not weak


def _parser(module: Module) -> Any:
    def make(network: Any, log: Any) -> Any:
        assert network is not None and isinstance(log, module.ILogger)
        error = Bound(
            module,
            "ParserError",
            code=lambda: SimpleNamespace(name="UNSUPPORTED_NODE"),
            desc=lambda: "false",
            node=lambda: 3,
            node_name=lambda: "det",
            node_operator=lambda: "Det",
        )
        bad = module.__dict__.get("bad_model", False)
        return Bound(
            module, "OnnxParser", parse_from_file=lambda _: not bad, num_errors=int(bad), get_error=lambda _: error
        )

    return make


class _Logger:
    Severity = SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)


class _Monitor:
    pass


def _runtime(module: Module) -> Any:
    class Runtime:
        def __init__(self, log: Any) -> None:
            assert isinstance(log, module.ILogger)

        def deserialize_cuda_engine(self, data: bytes) -> Any:
            return _engine(module) if data.startswith(b"ftrt") else None

    if module.offers("Runtime.get_engine_validity"):
        Runtime.engine_header_size = 64  # type: ignore[attr-defined]
        bits = getattr(module, "validity", 0)
        answer = (module.EngineValidity.INVALID if bits else module.EngineValidity.VALID, bits)
        Runtime.get_engine_validity = lambda _self, _data: answer  # type: ignore[attr-defined]
    return Runtime


def _engine(module: Module) -> Any:
    shapes = {"x": (-1, 3), "y": (-1, 3)}
    names = list(shapes)
    kind = SimpleNamespace(name="FLOAT")
    triple = [(1, 3), (2, 3), (4, 3)]
    layers = [
        {"Name": "relu", "LayerType": "kgen", "Metadata": "[ONNX Layer: relu]", "Outputs": [{"Datatype": "Float"}]}
    ]
    inspector = SimpleNamespace(get_engine_information=lambda _: json.dumps({"Layers": layers}))
    return Bound(
        module,
        "ICudaEngine",
        create_engine_inspector=lambda: inspector,
        device_memory_size=100,
        device_memory_size_v2=200,
        get_engine_stat=lambda _: 300,
        num_optimization_profiles=1,
        num_io_tensors=2,
        get_tensor_name=names.__getitem__,
        get_tensor_mode=lambda name: module.TensorIOMode.INPUT if name == "x" else module.TensorIOMode.OUTPUT,
        get_tensor_location=lambda _: module.TensorLocation.DEVICE,
        is_shape_inference_io=lambda _: False,
        get_tensor_shape=shapes.__getitem__,
        get_tensor_vectorized_dim=lambda _: -1,
        get_tensor_profile_shape=lambda *_: triple,
        get_tensor_dtype=lambda _: kind,
        num_bindings=2,
        get_binding_name=names.__getitem__,
        binding_is_input=lambda index: index == 0,
        is_shape_binding=lambda _: False,
        get_location=lambda _: module.TensorLocation.DEVICE,
        get_binding_shape=lambda index: shapes[names[index]],
        get_binding_dtype=lambda _: kind,
        get_profile_shape=lambda *_: triple,
        create_runtime_config=lambda: _runtime_config(module),
        create_execution_context=lambda _: object(),
    )


def _runtime_config(module: Module) -> Any:
    cache = SimpleNamespace(serialize=lambda: b"kernels", deserialize=lambda data: data == b"kernels")
    return Bound(
        module,
        "IRuntimeConfig",
        create_runtime_cache=lambda: cache,
        set_runtime_cache=lambda _: None,
        dynamic_shapes_kernel_specialization_strategy=0,
    )


MEMBERS: dict[str, Any] = {
    "Builder": _builder,
    "OnnxParser": _parser,
    "ILogger": lambda _: _Logger,
    "IProgressMonitor": lambda _: _Monitor,
    "IRuntimeCache": lambda _: object,
    "Runtime": _runtime,
    "NetworkDefinitionCreationFlag": lambda m: enumeration(
        m, "NetworkDefinitionCreationFlag", "EXPLICIT_BATCH", "STRONGLY_TYPED"
    ),
    "BuilderFlag": lambda m: enumeration(
        m, "BuilderFlag", "FP16", "INT8", "BF16", "FP8", "TF32", "STRIP_PLAN", "VERSION_COMPATIBLE"
    ),
    "MemoryPoolType": lambda m: enumeration(m, "MemoryPoolType", "WORKSPACE"),
    "ComputeCapability": lambda m: enumeration(
        m, "ComputeCapability", "NONE", "CURRENT", "SM75", "SM80", "SM86", "SM89"
    ),
    "HardwareCompatibilityLevel": lambda m: enumeration(m, "HardwareCompatibilityLevel", "NONE", "AMPERE_PLUS"),
    "ProfilingVerbosity": lambda m: enumeration(m, "ProfilingVerbosity", "LAYER_NAMES_ONLY", "DETAILED", "NONE"),
    "EngineValidity": lambda m: enumeration(m, "EngineValidity", "VALID", "SUBOPTIMAL", "INVALID"),
    "EngineInvalidityDiagnostics": lambda m: _invalidity(m),
    "DynamicShapesKernelSpecializationStrategy": lambda m: enumeration(
        m, "DynamicShapesKernelSpecializationStrategy", "LAZY", "EAGER", "NONE"
    ),
    "EngineStat": lambda m: enumeration(m, "EngineStat", "TOTAL_WEIGHTS_SIZE"),
    "LayerInformationFormat": lambda m: enumeration(m, "LayerInformationFormat", "ONELINE", "JSON"),
    "TensorIOMode": lambda m: enumeration(m, "TensorIOMode", "NONE", "INPUT", "OUTPUT"),
    "TensorLocation": lambda m: enumeration(m, "TensorLocation", "DEVICE", "HOST"),
}


def _invalidity(module: Module) -> Any:
    assert module.offers("EngineInvalidityDiagnostics")
    members = {"VERSION_MISMATCH": 1, "UNSUPPORTED_CC": 2, "MALFORMED_ENGINE": 32}
    return SimpleNamespace(__members__=members)
