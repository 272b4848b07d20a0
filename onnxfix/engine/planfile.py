"""A plan file is looked at before any library loads it: whether it is one, is whole, and fits this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from onnxfix import sandbox
from onnxfix.engine.backend import FLAVOURS, installed
from onnxfix.engine.damage import SAMPLE, plan_header
from onnxfix.engine.driver import Driver, Gpu
from onnxfix.engine.header import Header
from onnxfix.engine.records import Flavour
from onnxfix.engine.sidecar import Sidecar, file_facts, read_sidecar, sidecar_path, this_system
from onnxfix.errors import OnnxfixError

NO_GPU = "an engine is loaded by a GPU's driver, and this machine has none"
_AMPERE = 8.0


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A whole plan: `header` is what its bytes say, `sidecar` what was kept beside it, if that is there."""

    path: Path
    bytes: int
    header: Header
    sidecar: Sidecar | None

    @property
    def flavour(self) -> Flavour:
        """The library that built it; its version is "" when neither the plan nor a sidecar tells."""
        known = self.sidecar.flavour if self.sidecar else Flavour(self.header.flavour, "")
        return replace(known, name=self.header.flavour, version=self.header.version or known.version)

    @property
    def compute_capabilities(self) -> tuple[str, ...]:
        """The GPUs it is for; () when neither the plan nor a sidecar tells."""
        return self.header.compute_capabilities or (self.sidecar.compute_capabilities if self.sidecar else ())


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a plan is to be loaded."""

    flavours: tuple[Flavour, ...]
    driver: Driver
    system: str


def this_machine() -> Machine:
    """The libraries, the driver and the operating system here."""
    driver = sandbox.default().call("onnxfix.engine.driver:driver", timeout=60)
    assert isinstance(driver, Driver)
    return Machine(tuple(installed()), driver, this_system())


def check_plan(path: Path) -> PlanFile:
    """The plan in a file that can be loaded on this machine.

    Raises OnnxfixError, one line, when it cannot: no file, not a plan, truncated, handled as text, changed since it
    was built, built by another library or release, for another GPU or operating system, or no GPU here. TensorRT-RTX
    is asked too what it thinks of the plan.
    """
    plan = open_plan(path)
    machine = this_machine()
    if reason := obstacle(plan, machine) or library_says(plan):
        raise OnnxfixError(f"will not load here: {reason}", where=str(path), hint=_advice(plan, machine))
    return plan


def open_plan(path: Path) -> PlanFile:
    """The plan in a file, and its sidecar. Raises OnnxfixError when it is no plan, or not as it was built."""
    try:
        with path.open("rb") as file:
            size, head = path.stat().st_size, file.read(SAMPLE)
    except FileNotFoundError:
        raise OnnxfixError("no such file", where=str(path)) from None
    except OSError as error:
        raise OnnxfixError(f"cannot be read: {error.strerror}", where=str(path)) from None
    header = plan_header(head, size, path)
    sidecar = read_sidecar(path)
    if sidecar is not None:
        _check_same(path, size, sidecar)
    return PlanFile(path, size, header, sidecar)


def _check_same(path: Path, size: int, sidecar: Sidecar) -> None:
    if size == sidecar.plan.bytes and file_facts(path).sha256 == sidecar.plan.sha256:
        return
    how = f"{size:,} of {sidecar.plan.bytes:,} bytes" if size != sidecar.plan.bytes else "its SHA-256 is another one"
    what = f"is not the plan that {sidecar_path(path).name} describes: {how}"
    raise OnnxfixError(
        what, where=str(path), hint="copy both again, or build it again; a plan also loads without that file"
    )


def obstacle(plan: PlanFile, machine: Machine) -> str:
    """Why `plan` will not load on `machine`, as far as plan and sidecar tell; "" when nothing speaks against it."""
    flavour = plan.flavour
    here = next((item for item in machine.flavours if item.name == flavour.name), None)
    if here is None:
        return f"{flavour.title} built it, and {flavour.name} is not installed"
    if reason := _other_release(plan, here):
        return reason
    if plan.sidecar and plan.sidecar.system != machine.system:
        return f"it was built on {plan.sidecar.system}, and this is {machine.system}"
    if not machine.driver.gpus:
        return f"{NO_GPU}: {machine.driver.problem}"
    return _other_gpu(plan, machine.driver.gpus[0])


def _other_release(plan: PlanFile, here: Flavour) -> str:
    """A plan loads in the release that built it; a version-compatible one in later releases too."""
    built, installed_now = _release(plan.flavour.version), _release(here.version)
    if not built or not installed_now or built == installed_now:
        return ""
    if plan.sidecar and plan.sidecar.version_compatible and built < installed_now:
        return ""
    return f"{plan.flavour.title} built it, and {here.title} is installed"


def _release(version: str) -> tuple[int, ...]:
    """Major, minor and patch, which is what the libraries compare."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _other_gpu(plan: PlanFile, gpu: Gpu) -> str:
    names = plan.compute_capabilities
    if not names or gpu.compute_capability in names:
        return ""
    if plan.sidecar and plan.sidecar.hardware_compatible and float(gpu.compute_capability) >= _AMPERE:
        return ""
    return f"it is for compute capability {', '.join(names)}, and {gpu.name} has {gpu.compute_capability}"


def library_says(plan: PlanFile) -> str:
    """What TensorRT-RTX answers when asked; "" from a library that cannot be asked."""
    if plan.flavour.name != "tensorrt_rtx":
        return ""
    said = sandbox.default().call(
        "onnxfix.engine.inspector:invalidity", str(plan.path.absolute()), plan.flavour.name, plan.header.nameless
    )
    assert isinstance(said, str)
    return said


def _advice(plan: PlanFile, machine: Machine) -> str:
    if not machine.driver.gpus:
        return "load it where the GPU is"
    if not any(item.name == plan.header.flavour for item in machine.flavours):
        wanted = {"tensorrt": "tensorrt", "tensorrt_rtx": "onnxfix[rtx]"}
        return f"pip install {wanted[plan.header.flavour]!r}, or build it again with {FLAVOURS[0]}"
    return "build it again here: `onnxfix build`"
