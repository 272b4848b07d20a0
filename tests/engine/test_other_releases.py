"""What other releases of the libraries offer, by small stand-ins for their modules: the code asks by name."""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any

import pytest

from onnxfix.engine import EngineError, Flavour, backend
from onnxfix.engine.builder import _causes, _config, _Job, _network_flags, _parser_errors
from onnxfix.errors import OnnxfixError


def module(**flags: int) -> Any:
    return SimpleNamespace(
        NetworkDefinitionCreationFlag=enum.IntEnum("Flag", flags),
        BuilderFlag=SimpleNamespace(TF32="tf32"),
        __name__="m",
    )


@pytest.mark.parametrize(
    ("flags", "strong", "expected"),
    [
        ({"EXPLICIT_BATCH": 0}, False, 1),  # 8.6
        ({"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}, False, 1),  # 10.x
        ({"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}, True, 3),
        ({"STRONGLY_TYPED": 0, "PREFER_JIT_PYTHON_PLUGINS": 1}, False, 0),  # 11.x
        ({"STRONGLY_TYPED": 0, "PREFER_JIT_PYTHON_PLUGINS": 1}, True, 1),
    ],
)
def test_network_flags(flags: dict[str, int], strong: bool, expected: int) -> None:
    assert _network_flags(module(**flags), strong) == expected


def test_library_without_named_targets() -> None:
    cleared: list[str] = []
    config = SimpleNamespace(clear_flag=cleared.append)
    job = _Job(module(X=0), SimpleNamespace(create_builder_config=lambda: config), None, {}, {}, None, False)
    assert _config(job, "") is config
    assert cleared == ["tf32"]
    with pytest.raises(OnnxfixError, match="m cannot build for a named compute capability"):
        _config(job, "8.9")


def test_parser_errors_of_old_and_new_releases() -> None:
    old = SimpleNamespace(code=lambda: SimpleNamespace(name="INVALID_NODE"), desc=lambda: "false", node=lambda: 4)
    new = SimpleNamespace(**vars(old), node_name=lambda: "n", node_operator=lambda: "Foo")
    parser = SimpleNamespace(num_errors=2, get_error=[old, new].__getitem__)
    assert list(_parser_errors(parser)) == [
        EngineError("INVALID_NODE", "no importer for operator of this node", index=4),
        EngineError("INVALID_NODE", "no importer for operator Foo", "n", "Foo", index=4),
    ]


def test_driver_complaint_is_dropped_when_there_is_a_cause() -> None:
    driver = "createInferRuntime: Error Code 6: CUDA initialization failure with error: 35"
    assert _causes(["K is too large", driver], gpu=False) == ["K is too large"]
    assert _causes(["K is too large", driver], gpu=True) == ["K is too large", driver]
    assert _causes([driver], gpu=False) == [driver]
    assert _causes([], gpu=False) == ["the builder gave no reason"]


@pytest.mark.parametrize(("gpu", "chosen"), [(True, "tensorrt"), (False, "tensorrt_rtx")])
def test_the_best_library_depends_on_the_gpu(gpu: bool, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flavours = [Flavour("tensorrt", "10.1"), Flavour("tensorrt_rtx", "1.7")]
    monkeypatch.setattr(backend, "installed", lambda: flavours)
    monkeypatch.setattr(backend, "gpu_present", lambda: gpu)
    assert backend.choose(None).name == chosen
    monkeypatch.setattr(backend, "installed", list)
    with pytest.raises(OnnxfixError, match="neither tensorrt nor tensorrt_rtx is installed"):
        backend.choose(None)
