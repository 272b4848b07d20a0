from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.verify import layers
from onnxfix.verify.engine_run import EngineComparison
from onnxfix.verify.layers import chunks, compare_layers, marked
from tests.played_engine import play

HEAD = '<ir_version: 10, opset_import: ["" : 19]>\n'
CHAIN = "g (float[N,4] x) => (float[N,4] y) { a = Relu(x)  b = Neg(a)  c = Exp(b)  y = Add(c, a) }"
SHAPES = """g (float[N,4] x) => (float[M] y, float[N,4] z)
<int64[1] one = {-1}, float[1] two = {2}> {
  s = Shape(x)  p = ReduceProd<keepdims = 1>(s)  y = Reshape(x, p)  k = Mul(two, two)  z = Mul(x, k)
}"""
X = {"x": np.array([[-1, 0, 1, 2]], np.float32)}


@pytest.fixture
def path(tmp_path: Path) -> Callable[[str], Path]:
    def save(text: str) -> Path:
        onnx.save(onnx.parser.parse_model(HEAD + text), tmp_path / "m.onnx")
        return tmp_path / "m.onnx"

    return save


def test_every_value_is_compared_in_the_order_of_the_nodes(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    told: list[str] = []
    report = compare_layers(load(path(CHAIN)), X, progress=told.append)
    assert [item.name for item in report.differences] == ["a", "b", "c", "y"]
    assert [report.nodes[name][1] for name in "abcy"] == ["Relu", "Neg", "Exp", "Add"]
    assert (report.first, report.skipped) == (None, ())
    assert told == ["comparing layers (4 of 4)"]


def test_first_divergence_is_named(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, lambda outputs: {n: a + (n in ("c", "y")) for n, a in outputs.items()})
    report = compare_layers(load(path(CHAIN)), X)
    assert report.first is not None
    assert report.first.name == "c"
    assert [item.name for item in report.differences if item.why] == ["c", "y"]


def test_chunks_are_bounded(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    sizes: list[int] = []
    real = layers.compare_engine

    def counted(file: Path, *arguments: Any, outputs: Any, **more: Any) -> EngineComparison:
        sizes.append(len(outputs))
        return real(file, *arguments, outputs=outputs, **more)

    monkeypatch.setattr(layers, "compare_engine", counted)
    monkeypatch.setattr(layers, "CHUNK_VALUES", 3)
    assert len(compare_layers(load(path(CHAIN)), X).differences) == 4
    monkeypatch.setattr(layers, "CHUNK_BYTES", 20)  # one value has 16 bytes
    assert len(compare_layers(load(path(CHAIN)), X).differences) == 4
    assert sizes == [3, 1, 1, 1, 1, 1]


def test_chunks_may_grow() -> None:
    """Where each chunk costs a run of the whole model, few hundred values at a time would be quadratic work."""
    names = [f"v{n}" for n in range(2000)]
    body = " ".join(f"{name} = Relu (x)" for name in names)
    text = f'<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] v0) {{ {body} }}'
    scope = typed_scopes(load(onnx.parser.parse_model(text)))[0][0]
    assert [len(part) for part in chunks(names, scope, {}, growing=True)] == [100, 200, 400, 800, 500]
    assert {len(part) for part in chunks(names, scope, {})} == {100}


def test_shape_computations_and_constants_are_left_out(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    report = compare_layers(load(path(SHAPES)), X)
    assert [item.name for item in report.differences] == ["y", "z"]
    assert report.skipped == (
        ("s", "it is computed from shapes only"),
        ("p", "it is computed from shapes only"),
    )


def test_value_that_breaks_its_engine_is_found_and_named(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    real, builds = layers.compare_engine, list[int]()

    def breaks(file: Path, *arguments: Any, outputs: Any, **more: Any) -> EngineComparison:
        builds.append(len(outputs))
        found = real(file, *arguments, outputs=outputs, **more)
        return EngineComparison(found.build, failure="it broke") if "b" in outputs else found

    monkeypatch.setattr(layers, "compare_engine", breaks)
    report = compare_layers(load(path(CHAIN)), X)
    assert [item.name for item in report.differences] == ["a", "c", "y"]
    assert report.skipped == (("b", "it broke"),)
    assert builds == [4, 2, 1, 1, 2]
    monkeypatch.setattr(layers, "BUILDS", 2)
    report = compare_layers(load(path(CHAIN)), X)
    assert {name for name, _ in report.skipped} == {"a", "b", "c", "y"}
    assert report.skipped[0][1] == "2 engines were built already"


def test_types_that_no_engine_gives(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    text = "g (float[3] x) => (float[3] y) { d = Cast<to = 11>(x)  e = Exp(d)  y = Cast<to = 1>(e) }"
    report = compare_layers(load(path(text)), {"x": np.ones(3, np.float32)})
    assert report.skipped == (
        ("d", "an engine gives no double outputs"),
        ("e", "an engine gives no double outputs"),
    )


def test_marked_model_is_valid(path: Any) -> None:
    model = load(path(SHAPES))
    scope = typed_scopes(model)[0][0]
    proto = marked(model, ["s", "z", "k"], scope).proto
    assert [value.name for value in proto.graph.output] == ["y", "z", "s", "k"]
    onnx.checker.check_model(proto, full_check=True)
    assert len(model.proto.graph.output) == 2, "the caller's model is not changed"
