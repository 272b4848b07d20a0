"""Which worker of a Ray cluster builds an engine: by the device or compute capability that the target names.

Ray finds NVIDIA GPUs itself and gives their nodes a resource such as `accelerator_type:T4`.  Nodes with other devices
(Jetson boards) are started with a resource of the target's own name: `--resources='{"jetson-agx-orin": 1}'`, or of
its compute capability: `--resources='{"sm87": 1}'`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from onnxfix.batch.task import Task
from onnxfix.errors import OnnxfixError
from onnxfix.targets import Target, devices, resolve

Resources = Mapping[str, float]
"""What a node has or a task needs, by Ray's names: CPU, GPU, memory (bytes), and others."""

_TYPE = "accelerator_type:"
_SHARE = 0.001
"""What Ray itself asks of an accelerator type: it says which node, and `GPU` how many."""

_NAMES = {
    "tesla-p100": ("P100",),
    "tesla-p4": ("P4",),
    "geforce-gtx-1080": ("GeForce-GTX-1080*",),
    "v100": ("V100",),
    "t4": ("T4",),
    "rtx-2080-ti": ("GeForce-RTX-2080-Ti",),
    "a100": ("A100", "A100-*"),
    "a10": ("A10", "A10G"),
    "a40": ("A40",),
    "geforce-rtx-30": ("GeForce-RTX-30*",),
    "l4": ("L4",),
    "l40s": ("L40S",),
    "geforce-rtx-40": ("GeForce-RTX-40*",),
    "h100": ("H100",),
    "h200": ("H200",),
    "gh200": ("GH200",),
    "b200": ("B200", "GB200"),
    "b300": ("B300", "GB300"),
    "rtx-pro-6000-blackwell": ("RTX-PRO-6000",),
    "geforce-rtx-50": ("GeForce-RTX-50*",),
}
"""How Ray (2.60, from the name that NVML gives) calls the devices of the fact base."""


def demand_of(task: Task, nodes: Sequence[Resources]) -> dict[str, float]:
    """What the engine builds of a task ask of their node beside a CPU; nothing for one that builds none.

    TensorRT builds for the GPU in its own machine, so a target with a device or compute capability needs a worker that
    has it.  TensorRT-RTX builds for any without a GPU: a worker that has it is taken if there is one.  Raises
    OnnxfixError when the cluster `nodes` lack what is needed, or when targets ask for several devices.
    """
    targets = [target for target in map(resolve, _targets(task)) if target.compute_capability]
    if not targets:
        return {}
    if len({(target.device, target.compute_capability) for target in targets}) > 1:
        hint = "run one batch for each of them, or check with --static"
        raise OnnxfixError("with --ray the targets of a check are on one device", hint=hint)
    target = targets[0]
    for name in _resources(target, nodes):
        gpu = any(node.get("GPU", 0) >= 1 for node in nodes if name in node)
        return {name: _SHARE if name.startswith(_TYPE) else 1, **({"GPU": 1} if gpu else {})}
    if target.track == "rtx":
        return {}
    raise OnnxfixError(
        f"no worker of the cluster has {target.device or f'compute capability {_dotted(target)}'}",
        where=target.name,
        hint=f"start one with {' or '.join(_wanted(target))}, or do not ask for engines: --verify numeric, --static",
    )


def _targets(task: Task) -> Sequence[str]:
    """The targets for which a task asks TensorRT."""
    if task.verb == "check":
        return [name for name in task.settings["targets"] if name] if task.settings.get("ask_target", True) else []
    target = task.settings.get("target")
    return [target] if target and task.settings.get("verify", "engine") == "engine" else []


def _resources(target: Target, nodes: Sequence[Resources]) -> Iterator[str]:
    """The resources of the cluster that mean the target's device, the most particular first."""
    for pattern in _wanted(target):
        yield from sorted({name for node in nodes for name in node if fnmatchcase(name, pattern)})


def _wanted(target: Target) -> list[str]:
    """Patterns for the names of such resources."""
    capability = target.compute_capability
    known = (
        [target.device] if target.device else [name for name in devices() if str(devices()[name]["sm"]) == capability]
    )
    types = [f"{_TYPE}{pattern}" for name in known for pattern in _NAMES.get(name, ())]
    return [*([target.device] if target.device else []), *types, f"sm{capability}"]


def _dotted(target: Target) -> str:
    capability = target.compute_capability or ""
    return f"{capability[:-1]}.{capability[-1:]}"
