"""Everything here runs on an NVIDIA GPU: python -m pytest -m gpu (DEVELOPERS.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
from gpu_fixtures import Open, Plan

from onnxfix.engine import build
from onnxfix.engine.execute import Engine
from onnxfix.engine.profile import Sizes

HEAD = '<ir_version: 10, opset_import: ["" : 19]>\n'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], Path]:
    """Saves a model given as ONNX text."""

    def save(text: str) -> Path:
        path = tmp_path / "m.onnx"
        onnx.save(onnx.parser.parse_model(text if text.startswith("<") else HEAD + text), path)
        return path

    return save


@pytest.fixture
def plan(model: Callable[[str], Path], tmp_path: Path) -> Plan:
    """Builds a plan of a model given as ONNX text."""

    def make(text: str, sizes: Sizes | None = None) -> Path:
        path = tmp_path / "m.plan"
        result = build(model(text), sizes=sizes, plan=path)
        assert result.built, result.errors
        return path

    return make


@pytest.fixture
def engine(plan: Plan) -> Iterator[Open]:
    """Builds and loads an engine in this process, and closes it at the end."""
    opened: list[Engine] = []

    def load(text: str, sizes: Sizes | None = None, *, cuda_graph: bool = False) -> Engine:
        opened.append(Engine(plan(text, sizes), cuda_graph=cuda_graph))
        return opened[-1]

    yield load
    for item in opened:
        item.close()
