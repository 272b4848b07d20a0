"""What a build says, as plain data that travels out of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onnxfix.engine.tensors import IoTensor

BuildOutcome = Literal["built", "parse_failed", "build_failed", "crashed", "timeout"]


Stage = Literal["parse", "build"]

PARSING, BUILDING = "Parsing", "Building"
"""The names of the stages as progress tells them, each when it begins."""


@dataclass(frozen=True, slots=True)
class Flavour:
    """An installed library: `name` is its Python module ("tensorrt" or "tensorrt_rtx"), `version` as in "1.7.1.116".

    `version` is "" when the module is there without package metadata; `cuda` is the CUDA that its package is for
    ("13"), "" where the package does not tell.
    """

    name: str
    version: str
    cuda: str = ""

    @property
    def title(self) -> str:
        """The name people use, with the version: "TensorRT-RTX 1.7.1.116"."""
        return f"{'TensorRT-RTX' if self.name == 'tensorrt_rtx' else 'TensorRT'} {self.version}".rstrip()


@dataclass(frozen=True, slots=True)
class EngineError:
    """One refusal. `code` is the parser's ErrorCode by name, "BUILDER", "NO_OUTPUT" or "NO_BUILDER".

    `message` is the library's own text, except where that says nothing. `node` and `op_type` are "" and `index`
    (the node's place in the main graph) is -1 when the library does not tell.
    """

    code: str
    message: str
    node: str = ""
    op_type: str = ""
    stage: Stage = "parse"
    index: int = -1


@dataclass(frozen=True, slots=True)
class InputRange:
    """One input of the optimization profile: smallest, best and largest shape.

    For a shape input (`values` true) the three are values, not shapes: the engine reads a shape out of them.
    """

    name: str
    smallest: tuple[int, ...]
    best: tuple[int, ...]
    largest: tuple[int, ...]
    values: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. `nodes` are the ONNX nodes it was made from, `dtypes` the types of its outputs ("float32").

    `kind` is TensorRT's own name, such as "CONVOLUTION".
    """

    name: str
    kind: str
    nodes: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """What the parser made of a model, before the builder fuses layers; the ranges of `tensors` are those built for.

    `strongly_typed` says whether the types of the model decide; else `precisions` are what the builder may use.
    """

    tensors: tuple[IoTensor, ...]
    layers: tuple[Layer, ...]
    strongly_typed: bool
    precisions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EngineResult:
    """One build. `compute_capability` is "8.9" or the like, "" for the GPU of this machine.

    `gpu` says whether the machine has a GPU. `plan_bytes` is the size of the plan in bytes, 0 when there is none.
    `profile` has every input that is dynamic or a shape input. `seconds` is the time from parser to plan.
    `network` is there when a plan was written.
    """

    outcome: BuildOutcome
    flavour: Flavour
    compute_capability: str = ""
    gpu: bool = False
    errors: tuple[EngineError, ...] = ()
    plan_bytes: int = 0
    profile: tuple[InputRange, ...] = ()
    seconds: float = 0.0
    signal: str = ""
    network: Network | None = None

    @property
    def built(self) -> bool:
        """Whether there is a plan."""
        return self.outcome == "built"
