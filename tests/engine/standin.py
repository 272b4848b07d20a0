"""A stand-in for TensorRT's Python module with the names that one release has, after the spans of releases.yaml.

Anything else is an AttributeError, for reading and for writing, as with the real bindings; so a call that a release
lacks fails the test. It does no more than the calls of onnxfix need.
"""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any

from onnxfix.targets.tables import table, version_key

RELEASES = [
    *(("trt", key) for key in ("8.0", "8.2", "8.4", "8.5", "8.6", "10.0", "10.1", "10.6", "10.8", "10.11", "10.16")),
    *(("trt", key) for key in ("11.0", "11.1", "11.4")),
    *(("rtx", key) for key in ("1.4", "1.5", "1.6", "1.7")),
]

# Names beside those of releases.yaml that came later than 8.0, or with others.
_TIED = {
    "ParserError.node_operator": "ParserError.node_name",
    "IBuilderConfig.num_compute_capabilities": "IBuilderConfig.set_compute_capability",
    "IProgressMonitor": "IBuilderConfig.progress_monitor",
    "EngineInvalidityDiagnostics": "EngineValidity",
    "EngineStat": "ICudaEngine.get_engine_stat",
    **{
        f"ICudaEngine.{name}": "ICudaEngine.num_io_tensors"
        for name in (
            "get_tensor_name",
            "get_tensor_mode",
            "get_tensor_dtype",
            "get_tensor_shape",
            "get_tensor_location",
        )
    },
    **{
        f"ICudaEngine.{name}": "ICudaEngine.num_bindings"
        for name in ("get_binding_name", "binding_is_input", "get_binding_dtype", "get_binding_shape", "get_location")
    },
    "ICudaEngine.is_shape_inference_io": "ICudaEngine.num_io_tensors",
    "ICudaEngine.get_tensor_vectorized_dim": "ICudaEngine.num_io_tensors",
    "ICudaEngine.is_shape_binding": "ICudaEngine.num_bindings",
    "ICudaEngine.get_profile_shape": "ICudaEngine.num_bindings",
    "IRuntimeConfig.create_runtime_cache": "IRuntimeCache",
    "IRuntimeConfig.set_runtime_cache": "IRuntimeCache",
    "IRuntimeConfig.dynamic_shapes_kernel_specialization_strategy": "IRuntimeCache",
    "TensorIOMode": "ICudaEngine.num_io_tensors",
    "MemoryPoolType": "IBuilderConfig.set_memory_pool_limit",
}
_FROM_8_6 = {"HardwareCompatibilityLevel", "ITensor.get_dimension_name", "ILayer.metadata"}
_SINCE_8_6 = {"IBuilderConfig.hardware_compatibility_level", "BuilderFlag.VERSION_COMPATIBLE", "BuilderFlag.FP8"}


def has(track: str, release: str, api: str) -> bool:
    """Whether a release has a name such as "Builder.build_serialized_network"; names not in the table are in all."""
    api = _TIED.get(api, api)
    if release.startswith("8.") and release != "8.6":
        return _before_8_6(release, api)
    for entry in table("releases")["python_api"]["presence"]:
        if entry["api"] == api:
            span = entry[track]
            return span is not None and _within(span, release)
    return True


def _before_8_6(release: str, api: str) -> bool:
    for entry in table("releases")["python_api"]["older"]:
        if entry["api"] == api and "since" in entry:
            return version_key(entry["since"]) <= version_key(release)
    return api not in _FROM_8_6 | _SINCE_8_6 and has("trt", "8.6", api)


def _within(span: dict[str, str], release: str) -> bool:
    until = span.get("until")
    late = until is not None and version_key(release) >= version_key(until)
    return version_key(span["since"]) <= version_key(release) and not late


class Bound:
    """An object with the names that are given, and those of its release only; `api` is the class in the table."""

    def __init__(self, module: Module, api: str, **members: Any) -> None:
        names = {name: value for name, value in members.items() if module.offers(f"{api}.{name}")}
        object.__setattr__(self, "_members", names)
        object.__setattr__(self, "_api", api)
        object.__setattr__(self, "_module", module)

    def __getattr__(self, name: str) -> Any:
        members = object.__getattribute__(self, "_members")
        if name not in members:
            raise AttributeError(f"{self._module.release}: {self._api} has no {name}")
        self._module.used.add(f"{self._api}.{name}")
        return members[name]

    def __setattr__(self, name: str, value: Any) -> None:
        getattr(self, name)
        self._members[name] = value


class Module:
    """The Python module of one release. `used` collects the names that were asked for."""

    __version__ = "0"

    def __init__(self, track: str, release: str) -> None:
        self.track, self.release = track, f"{track}{release}"
        self._key = release
        self.__name__ = "tensorrt_rtx" if track == "rtx" else "tensorrt"
        self.used: set[str] = set()
        self.config: Any = None
        self.flags: list[Any] = []
        self.refuse_builder = False

    def offers(self, api: str) -> bool:
        return has(self.track, self._key, api)

    def __getattr__(self, name: str) -> Any:
        import standin_parts

        made = standin_parts.MEMBERS.get(name)
        if made is None or not self.offers(name):
            raise AttributeError(f"{self.release}: the module has no {name}")
        self.used.add(name)
        value = made(self)
        setattr(self, name, value)
        return value


def enumeration(module: Module, api: str, *names: str) -> Any:
    """An enum with those of `names` that the release has."""
    there = [name for name in names if module.offers(f"{api}.{name}")]
    return enum.IntEnum(api, [(name, index) for index, name in enumerate(there)])


def tensor(module: Module, name: str, shape: tuple[int, ...], dims: tuple[str, ...] = (), values: bool = False) -> Any:
    """A network tensor of floats."""
    dtype = SimpleNamespace(name="INT64" if values else "FLOAT")
    named = dict(enumerate(dims))
    return Bound(
        module, "ITensor", name=name, shape=shape, dtype=dtype, is_shape_tensor=values, get_dimension_name=named.get
    )
