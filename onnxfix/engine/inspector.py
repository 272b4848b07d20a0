"""What an engine says of itself when it is loaded, which takes a GPU. Inside the sandbox only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxfix.engine.backend import load
from onnxfix.engine.calls import calls_of
from onnxfix.engine.log import logger
from onnxfix.engine.network import onnx_nodes
from onnxfix.engine.records import Layer
from onnxfix.engine.tensors import IoTensor
from onnxfix.errors import OnnxfixError

# EngineInvalidityDiagnostics of TensorRT-RTX by name: what each bit means for a user.
_REASONS = {
    "VERSION_MISMATCH": "another release of TensorRT-RTX built it",
    "UNSUPPORTED_CC": "it is not for this GPU's compute capability",
    "OLD_CUDA_DRIVER": "the driver is older than the engine needs",
    "OLD_CUDA_RUNTIME": "the CUDA runtime is older than the engine needs",
    "INSUFFICIENT_GPU_MEMORY": "the GPU has too little memory for it",
    "MALFORMED_ENGINE": "it is damaged",
    "CUDA_ERROR": "CUDA gave an error when asked about the GPU",
}
# The inspector's words for types, in all releases: "Half" or, among words about the layout, "FP16".
_DTYPES = {
    "float": "float32",
    "fp32": "float32",
    "half": "float16",
    "fp16": "float16",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "fp8": "float8_e4m3fn",
    "fp4": "float4_e2m1fn",
    **{name: name for name in ("int4", "int8", "uint8", "int32", "int64", "bool")},
}
_HEADER = 1 << 16


@dataclass(frozen=True, slots=True)
class Loaded:
    """`layers` after fusion. Bytes: `device_memory` of activations for the hungriest profile, `weights` -1 when the
    release does not tell."""

    tensors: tuple[IoTensor, ...]
    layers: tuple[Layer, ...]
    device_memory: int
    weights: int


def invalidity(path: str, flavour: str, nameless: bool = False) -> str:
    """Why the library would not load the plan, "" when it would or cannot be asked (releases of TensorRT).

    Of a plan for a GPU that is none of its targets (`nameless`) TensorRT-RTX 1.6.1 says that the GPU is not supported,
    and runs it there all the same (seen on compute capability 9.0): only loading tells.
    """
    module = load(flavour)
    if not hasattr(module.Runtime, "get_engine_validity"):
        return ""
    runtime = module.Runtime(logger(module))
    with Path(path).open("rb") as file:
        validity, bits = runtime.get_engine_validity(file.read(max(runtime.engine_header_size, _HEADER)))
    known = module.EngineInvalidityDiagnostics.__members__
    if validity != module.EngineValidity.INVALID or (nameless and int(bits) == int(known["UNSUPPORTED_CC"])):
        return ""
    reasons = [text for name, text in _REASONS.items() if name in known and int(bits) & int(known[name])]
    return "; ".join(reasons) or "the library calls it invalid and gives no reason"


def loaded(path: str, flavour: str) -> Loaded:
    """The engine's own account. Raises OnnxfixError when the library does not load it."""
    module = load(flavour)
    log = logger(module)
    log.take()
    runtime = module.Runtime(log)
    engine = runtime.deserialize_cuda_engine(Path(path).read_bytes())
    if engine is None:
        raise OnnxfixError(f"does not load: {' '.join(log.take()) or 'the library gave no reason'}", where=path)
    memory = getattr(engine, "device_memory_size_v2", None)
    return Loaded(
        calls_of(module, engine, None).tensors(),
        tuple(_layers(module, engine)),
        engine.device_memory_size if memory is None else memory,
        _weights(module, engine),
    )


def _weights(module: Any, engine: Any) -> int:
    """Bytes of the weights in the engine."""
    if not hasattr(engine, "get_engine_stat"):
        return -1
    return int(engine.get_engine_stat(module.EngineStat.TOTAL_WEIGHTS_SIZE))


def _layers(module: Any, engine: Any) -> Iterator[Layer]:
    if not hasattr(engine, "create_engine_inspector"):  # before 8.2
        return
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(module.LayerInformationFormat.JSON)
    yield from parse_layers(text)


def parse_layers(text: str) -> Iterator[Layer]:
    """The layers of the inspector's JSON: names alone, unless the plan was built to be described."""
    for item in json.loads(text).get("Layers", ()):
        if isinstance(item, str):
            yield Layer(item, "")
            continue
        outputs = [_dtype(output) for output in item.get("Outputs", ())]
        nodes = onnx_nodes(item.get("Metadata", ""))
        yield Layer(item.get("Name", ""), item.get("LayerType", ""), nodes, tuple(dict.fromkeys(filter(None, outputs))))


def _dtype(output: Mapping[str, Any]) -> str:
    """The type of an output, "" when its description names none."""
    text = str(output.get("Datatype") or output.get("Format/Datatype") or "")
    return next((_DTYPES[word] for word in re.findall(r"\w+", text.lower()) if word in _DTYPES), "")
