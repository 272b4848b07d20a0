"""What a build can be asked for beside the model, and how a release is told so: by name, never by version number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnxfix.engine.records import Flavour
from onnxfix.errors import OnnxfixError

Triple = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
Shapes = tuple[tuple[str, Triple], ...]
"""(input, (smallest, best, largest)); an input that stands there again belongs to the next profile."""

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """`compute_capabilities` such as "8.9"; none means this machine's GPU, or a default where there is none.

    `workspace` is in MiB, 0 for no limit. `precision` has words such as "fp16", "bf16", "int8" and "fp8", each
    of which a weakly typed release may then use, or "model" for strong typing; nothing means what the release does.
    `timing_cache` is a file that is read when it exists, and written. `stripped` leaves the weights out of the plan.
    `described` keeps names and precisions of layers in the plan, for `inspect`. `strongly_typed` asks for strong
    typing as "model" does, and is ignored where there is none.
    """

    compute_capabilities: tuple[str, ...] = ()
    shapes: Shapes = ()
    workspace: int = 0
    precision: tuple[str, ...] = ()
    tf32: bool = False
    timing_cache: str = ""
    stripped: bool = False
    hardware_compatible: bool = False
    version_compatible: bool = False
    described: bool = False
    strongly_typed: bool = False


def network_flags(module: Any, strongly_typed: bool) -> int:
    """The argument of create_network: its bits move from one release to the next, and vanish."""
    kinds = module.NetworkDefinitionCreationFlag
    names = ["EXPLICIT_BATCH"] + ["STRONGLY_TYPED"] * strongly_typed
    return sum(1 << int(getattr(kinds, name)) for name in names if hasattr(kinds, name))


def is_strong(module: Any, network: Any) -> bool:
    """Whether the model's types decide: always in 11.x and RTX 1.5, which have no switch for half precision."""
    if not hasattr(module.BuilderFlag, "FP16"):
        return True
    kinds = module.NetworkDefinitionCreationFlag
    return hasattr(kinds, "STRONGLY_TYPED") and bool(network.get_flag(kinds.STRONGLY_TYPED))


def make_config(module: Any, builder: Any, flavour: Flavour, options: BuildOptions, strong: bool, gpu: str) -> Any:
    """The builder configuration for `options`, for a network that `is_strong` or not.

    `gpu` is the compute capability of this machine, "" without one. Raises OnnxfixError for what the release lacks.
    """
    config = builder.create_builder_config()
    _set_precision(module, config, flavour, options, strong)
    _set_capabilities(module, config, flavour, options.compute_capabilities, gpu)
    if options.workspace:
        _set_workspace(module, config, options.workspace)
    if options.stripped:
        config.set_flag(_flag(module, flavour, "STRIP_PLAN", "plans without weights"))
    if options.version_compatible:
        _set_version_compatible(module, config, flavour)
    if options.hardware_compatible:
        _set_hardware_compatible(module, config, flavour)
    if options.described and hasattr(module, "ProfilingVerbosity"):
        config.profiling_verbosity = _verbose(module)
    return config


def _verbose(module: Any) -> Any:
    """DETAILED came with 8.2 for VERBOSE."""
    kinds = module.ProfilingVerbosity
    return kinds.DETAILED if hasattr(kinds, "DETAILED") else kinds.VERBOSE


def _set_precision(module: Any, config: Any, flavour: Flavour, options: BuildOptions, strong: bool) -> None:
    if hasattr(module.BuilderFlag, "TF32"):  # full fp32 unless asked: engine outputs are compared with ONNX Runtime's
        (config.set_flag if options.tf32 else config.clear_flag)(module.BuilderFlag.TF32)
    elif options.tf32:
        raise _lacking(flavour, "TF32 switch")
    for name in options.precision:
        if name == "model":
            if not strong:
                raise OnnxfixError(
                    f"{flavour.title} has no strong typing", hint="--precision fp16 allows half precision"
                )
        elif strong:
            raise OnnxfixError(
                f"{flavour.title} types every layer as the model does: there is no {name} switch",
                hint="convert the model to that type and leave --precision away",
            )
        elif name != "fp32":
            config.set_flag(_flag(module, flavour, name.upper(), f"{name} switch"))


def _set_capabilities(module: Any, config: Any, flavour: Flavour, names: Sequence[str], gpu: str) -> None:
    if hasattr(config, "set_compute_capability"):
        members = [_capability(module, flavour, name) for name in names]
        members = members or [module.ComputeCapability.CURRENT]
        config.num_compute_capabilities = len(members)
        for index, member in enumerate(members):
            config.set_compute_capability(member, index)
    elif any(name != gpu for name in map(plain_capability, names)):
        here = f"the GPU of this machine ({gpu})" if gpu else "the GPU of the machine it runs on"
        raise OnnxfixError(
            f"{flavour.title} cannot build for a named compute capability",
            hint=f"it builds for {here} only; TensorRT-RTX can name one",
        )


def plain_capability(text: str) -> str:
    """`8.9` for "sm89", "8_9" and "8.9"."""
    digits = text.lower().removeprefix("sm").replace(".", "").replace("_", "")
    return f"{digits[:-1]}.{digits[-1:]}"


def _capability(module: Any, flavour: Flavour, text: str) -> Any:
    known = module.ComputeCapability.__members__
    name = "SM" + plain_capability(text).replace(".", "")
    if name not in known:
        targets = ", ".join(f"{n[2:-1]}.{n[-1]}" for n in known if n.startswith("SM"))
        raise OnnxfixError(
            f"{flavour.title} cannot build for compute capability {text!r}",
            hint=f"it can for {targets}",
        )
    return known[name]


def _set_workspace(module: Any, config: Any, mebibytes: int) -> None:
    if hasattr(config, "set_memory_pool_limit"):
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, mebibytes * _MIB)
    else:  # before 8.4
        config.max_workspace_size = mebibytes * _MIB


def _set_version_compatible(module: Any, config: Any, flavour: Flavour) -> None:
    if hasattr(config, "set_compute_capability"):  # TensorRT-RTX has the flag and lacks the lean runtime it asks for
        raise _lacking(flavour, "plans for later releases")
    config.set_flag(_flag(module, flavour, "VERSION_COMPATIBLE", "plans for later releases"))


def _set_hardware_compatible(module: Any, config: Any, flavour: Flavour) -> None:
    if hasattr(config, "set_compute_capability"):
        raise OnnxfixError(
            f"{flavour.title} builds for compute capabilities by name instead of hardware-compatible plans",
            hint="give --compute-capability several times",
        )
    if not hasattr(config, "hardware_compatibility_level"):
        raise _lacking(flavour, "hardware-compatible plans")
    config.hardware_compatibility_level = module.HardwareCompatibilityLevel.AMPERE_PLUS


def _flag(module: Any, flavour: Flavour, name: str, what: str) -> Any:
    if not hasattr(module.BuilderFlag, name):
        raise _lacking(flavour, what)
    return getattr(module.BuilderFlag, name)


def _lacking(flavour: Flavour, what: str) -> OnnxfixError:
    return OnnxfixError(f"{flavour.title} has no {what}", hint="leave that option away, or use another release")
