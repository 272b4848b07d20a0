"""What this machine has of all that onnxfix can use, what is broken, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from onnxfix import __version__, sandbox
from onnxfix.engine import cuda
from onnxfix.engine.backend import installed
from onnxfix.engine.driver import Driver
from onnxfix.engine.planfile import this_machine
from onnxfix.engine.probes import Library
from onnxfix.engine.records import Flavour
from onnxfix.errors import OnnxfixError

GIB = 1 << 30
_MEMORY, _DISK = 2 * GIB, 1 * GIB
_WAIT = 120.0
_WORDS = {"", "bindings", "libs", "cu11", "cu12", "cu13"}  # of the names of one library's packages
Level = Literal["ok", "note", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact. `level` is "error" for what repair or build needs and is broken; `fix` is "" where there is none."""

    topic: str
    level: Level
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All findings, and what works here, in one line: "repairs: yes; builds: yes; runs: no device"."""

    findings: tuple[Finding, ...]
    summary: str

    @property
    def exit_code(self) -> int:
        """1 when something that repair or build needs is broken, else 0."""
        return int(any(finding.level == "error" for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {**asdict(self), "exit_code": self.exit_code}


def doctor() -> DoctorReport:
    """Look at everything, each library in the sandbox. Raises nothing for what is missing or broken."""
    driver = this_machine().driver
    system = [_onnxfix(), *_disk(), *_memory()]
    runtime = _onnxruntime()
    libraries = list(_libraries())
    gpu, runs = _gpu(driver), _pycuda(driver)
    works = {
        "repairs": "yes" if runtime.level == "ok" else "not proven by numbers",
        "builds": "yes" if any(item.level == "ok" for item in libraries) else "no TensorRT",
        "runs": "yes" if runs.level == "ok" else "no PyCUDA" if driver.gpus else "no device",
    }
    summary = "; ".join(f"{what}: {how}" for what, how in works.items())
    return DoctorReport((*system, runtime, gpu, *libraries, runs), summary)


def _onnxfix() -> Finding:
    names = ("onnx", "numpy", "protobuf")
    versions = ", ".join(f"{name} {_version(name)}" for name in names)
    text = f"onnxfix {__version__}, Python {platform.python_version()}, {versions}; {platform.platform()}"
    return Finding("onnxfix", "ok", text)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _disk() -> Iterator[Finding]:
    for topic, place in (("disk", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(place).free
        fix = "" if free >= _DISK else "free some space: models and plans are written there"
        yield Finding(topic, "note" if fix else "ok", f"{free / GIB:.1f} GiB free in {place}", fix)


def _memory() -> Iterator[Finding]:
    """What is free now; only Linux tells without another package."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return
    facts = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free, total = (int(facts[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    fix = "" if free >= _MEMORY else "end other programs: TensorRT needs a few times the size of the model"
    text = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free, {os.cpu_count()} processors"
    yield Finding("memory", "note" if fix else "ok", text, fix)


def _onnxruntime() -> Finding:
    try:
        version, providers = sandbox.default().call("onnxfix.engine.probes:onnxruntime", timeout=_WAIT)
    except OnnxfixError as error:
        return Finding("ONNX Runtime", "error", f"does not work: {error}", "pip install --force-reinstall onnxruntime")
    return Finding("ONNX Runtime", "ok", f"{version}, providers: {', '.join(providers)}")


def _libraries() -> Iterator[Finding]:
    flavours = installed()
    if not flavours:
        text = "neither TensorRT nor TensorRT-RTX is installed"
        yield Finding("TensorRT", "error", text, "pip install 'onnxfix[rtx]' builds engines without a GPU")
    for flavour in flavours:
        yield _library(flavour)


def _library(flavour: Flavour) -> Finding:
    again = f"pip install --force-reinstall {flavour.name.replace('_', '-')}-cu{flavour.cuda or '13'}"
    if mixed := _mixed(flavour.name):
        return Finding(
            flavour.title, "error", f"packages of different versions: {mixed}", f"{again}, one version of all"
        )
    try:
        found = sandbox.default().call("onnxfix.engine.probes:library", flavour.name, timeout=_WAIT)
    except OnnxfixError as error:
        fix = f"{again} brings module and libraries together"
        return Finding(flavour.title, "error", f"does not load: {error}", fix)
    assert isinstance(found, Library)
    if found.core and found.bindings and _release(found.core) != _release(found.bindings):
        text = f"the Python module is {found.bindings} and the library it loads is {found.core}"
        return Finding(flavour.title, "error", text, f"{again}, or take the other one out of LD_LIBRARY_PATH")
    if found.refusal:
        fix = "the library builds only where a GPU is; TensorRT-RTX (pip install 'onnxfix[rtx]') builds without"
        return Finding(flavour.title, "note", f"makes no builder here: {found.refusal}", fix)
    cuda_version = f" for CUDA {flavour.cuda}" if flavour.cuda else ""
    return Finding(
        flavour.title, "ok", f"module and library are {found.bindings or found.core}{cuda_version}; it builds"
    )


def _mixed(name: str) -> str:
    """The packages of one library when their versions differ, else ""."""
    own = name.replace("_", "-")
    found: dict[str, str] = {}
    for package in importlib.metadata.distributions():
        known = (package.name or "").lower().replace("_", "-")
        rest = known.removeprefix(own)
        if known.startswith(own) and rest.split("-")[0] == "" and set(rest.split("-")) <= _WORDS:
            found[known] = package.version
    return (
        ", ".join(f"{key} {found[key]}" for key in sorted(found)) if len(set(map(_build, found.values()))) > 1 else ""
    )


def _major(version: str) -> int:
    return int(version.split(".")[0])


def _build(version: str) -> tuple[str, ...]:
    """The four numbers of a version, without a packager's "post1"."""
    return tuple(version.split(".")[:4])


def _release(version: str) -> list[str]:
    return version.split(".")[:3]


def _gpu(driver: Driver) -> Finding:
    if not driver.gpus:
        fix = "" if "no NVIDIA driver" in driver.problem else "nvidia-smi tells more"
        text = f"{driver.problem}; engines are built here, not run"
        return Finding("GPU", "note", text, fix)
    names = ", ".join(
        f"{gpu.name} (compute capability {gpu.compute_capability}, {gpu.memory / GIB:.0f} GiB)" for gpu in driver.gpus
    )
    text = f"{names}; driver {driver.version or 'of unknown version'}, CUDA {driver.cuda}"
    for flavour in installed():
        if flavour.cuda and int(flavour.cuda) > _major(driver.cuda):
            fix = f"install a newer driver, or the package of {flavour.name} for CUDA {_major(driver.cuda)}"
            return Finding("GPU", "note", f"{text}, and {flavour.title} is for CUDA {flavour.cuda}", fix)
    return Finding("GPU", "ok", text)


def _pycuda(driver: Driver) -> Finding:
    """Only with a GPU is it tried: without one it makes no context anywhere."""
    if not driver.gpus:
        text = "is installed" if cuda.installed() else "is not installed"
        return Finding("PyCUDA", "note", f"{text}, and not needed without a GPU")
    try:
        version, compiled, device = sandbox.default().call("onnxfix.engine.probes:pycuda", timeout=_WAIT)
    except OnnxfixError as error:
        fix = error.hint or "pip install --force-reinstall --no-binary :all: pycuda, with this CUDA's nvcc in PATH"
        return Finding("PyCUDA", "note", f"engines cannot run: {error.what}", fix)
    if _major(compiled) > _major(driver.cuda):
        fix = f"compile PyCUDA with CUDA {driver.cuda}, or install a newer driver"
        return Finding("PyCUDA", "note", f"{version} is for CUDA {compiled}, the driver serves {driver.cuda}", fix)
    return Finding("PyCUDA", "ok", f"{version} for CUDA {compiled}; a context was made and left on {device}")
