"""What `build`, `inspect`, `run` and `compare` have to say: plain records that every report renders."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from onnxfix.engine.records import EngineError, EngineResult, Layer
    from onnxfix.engine.sidecar import Sidecar
    from onnxfix.engine.tensors import IoTensor
    from onnxfix.engine.timing import Timing
    from onnxfix.verify.difference import Difference


@dataclass(frozen=True, slots=True)
class BuildError:
    """One refusal with its causes, as far as the fact base knows them."""

    error: EngineError
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What `build` did. `output` and `sidecar` are "" when no plan was written; `notes` are sentences for people."""

    model: str
    library: str
    result: EngineResult
    errors: tuple[BuildError, ...] = ()
    output: str = ""
    sidecar: str = ""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when the plan was written, else 1."""
        return int(not self.output)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        network = self.result.network
        return {
            "model": self.model,
            "library": self.library,
            "outcome": self.result.outcome,
            "output": self.output,
            "sidecar": self.sidecar,
            "plan_bytes": self.result.plan_bytes,
            "compute_capability": self.result.compute_capability,
            "gpu": self.result.gpu,
            "tensors": [asdict(tensor) for tensor in network.tensors] if network else [],
            "errors": [{**asdict(item.error), "causes": list(item.causes)} for item in self.errors],
            "notes": list(self.notes),
            "seconds": self.result.seconds,
            "exit_code": self.exit_code,
        }


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What is known about a plan. `obstacle` says why it does not load here, "" when it was loaded.

    `layers_from` is "engine" for the layers as they run, "model" for those the parser made before the builder fused
    them, "" when none are known. `device_memory` and `weights` are bytes, -1 where not known.
    """

    plan: str
    bytes: int
    library: str
    compute_capabilities: tuple[str, ...]
    obstacle: str
    tensors: tuple[IoTensor, ...]
    layers_from: str
    layers: tuple[Layer, ...]
    device_memory: int
    weights: int
    sidecar: Sidecar | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types; of the sidecar what is not there already."""
        document = asdict(self)
        for name in ("tensors", "layers"):
            if document["sidecar"]:
                del document["sidecar"][name]
        return document


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """One array: `smallest`, `largest` and `mean` of its finite values (None without any), and how many are not."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    smallest: float | None = None
    largest: float | None = None
    mean: float | None = None
    not_finite: int = 0


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run of an engine. `library` is TensorRT's name and version, `device` the GPU.

    `seeded` says that onnxfix made up the inputs. `output` is the file that was written, "" when none was.
    `reason` says what happened unless the outcome is "ran".
    """

    model: str
    library: str
    outcome: Literal["ran", "not_built", "failed", "crashed", "timeout"]
    device: str = ""
    seeded: bool = False
    inputs: tuple[ArrayFacts, ...] = ()
    outputs: tuple[ArrayFacts, ...] = ()
    timing: Timing | None = None
    output: str = ""
    notes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def exit_code(self) -> int:
        """0 when the engine ran, else 1."""
        return int(self.outcome != "ran")

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {**asdict(self), "exit_code": self.exit_code}


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """The figures of one value inside the model, and the node that makes it."""

    node: str
    op_type: str
    figures: Difference


@dataclass(frozen=True, slots=True)
class CompareReport:
    """An engine against its model. `oracle` computed the model's outputs.

    `outcome` is "equal", "different", "not_built", "failed" (the engine built and did not run) or "not_compared".
    `reason` is a sentence, `advice` what to do. `layers` are values inside the model in the order of the nodes, when
    asked for; `skipped` are those that were not compared, with the reason.
    """

    model: str
    library: str
    outcome: Literal["equal", "different", "not_built", "failed", "not_compared"]
    reason: str
    advice: str = ""
    device: str = ""
    oracle: str = ""
    tf32: bool = False
    outputs: tuple[Difference, ...] = ()
    layers: tuple[LayerDifference, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when the engine equals the model, else 1."""
        return int(self.outcome != "equal")

    @property
    def first(self) -> LayerDifference | None:
        """The first value inside the model that differs."""
        return next((layer for layer in self.layers if layer.figures.why), None)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {**asdict(self), "exit_code": self.exit_code}
