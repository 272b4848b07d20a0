"""What the page says, without a browser: parts, folds, figures, and text that stays text."""

from __future__ import annotations

import html.parser
import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from page_models import compared, edited, hostile, residual

from onnxfix.errors import ModelFileError
from onnxfix.model import load
from onnxfix.records import Diagnostic
from onnxfix.report.page.document import Document, model_document
from onnxfix.report.page.folding import ALL, folds
from onnxfix.report.page.html import page, write
from onnxfix.report.page.weights import weight_figures

ROOT = Path(__file__).parents[2]
ASSETS = files("onnxfix.report").joinpath("assets")
LOOP = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[2] x, int64 n, bool c) => (float[2] y) <float[2] w = {1, 2}> {
  k = Constant <value = float[2] {3, 4}> ()
  y = Loop(n, c, x) <body = b (int64 i, bool go, float[2] s) => (bool on, float[2] t) {
    on = Identity(go)
    u = Add(s, w)
    t = Mul(u, k) }> }
<domain: "own", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }"""


def parse(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def titles(document: Document, status: str, scope: int = 0) -> list[str]:
    return sorted(part["title"] for part in document["scopes"][scope]["parts"] if part["status"] == status)


def test_two_models_lie_over_each_other() -> None:
    model = residual(10)
    document = compared(model, edited(model))
    assert titles(document, "removed") == ["Relu"]
    assert titles(document, "inserted") == ["LeakyRelu"]
    assert titles(document, "changed") == ["Conv", "Conv"]
    edges = [status for *_, status in document["scopes"][0]["edges"]]
    assert edges.count("inserted") == edges.count("removed") == 2
    assert {item["kind"] for item in document["items"]} == {"replaced", "attribute", "weight"}
    assert all(item["parts"] for item in document["items"])


def test_a_model_against_itself_has_no_colour() -> None:
    document = compared(residual(50), residual(50))
    assert document["items"] == []
    assert {part["status"] for part in document["scopes"][0]["parts"]} == {"same"}
    assert {len(part["facts"]) for part in document["scopes"][0]["parts"]} == {1}
    assert {status for *_, status in document["scopes"][0]["edges"]} == {"same"}


def test_every_graph_is_there_with_its_types_and_weights() -> None:
    document = model_document(load(parse(LOOP)))
    assert [scope["label"] for scope in document["scopes"]] == ["", "Loop_y/body", "function own.twice"]
    body = document["scopes"][1]["parts"]
    add = next(part["facts"][1] for part in body if part["title"] == "Add")
    assert add["in"] == [["s", "float[2]"], ["w", "float[2]", {"type": "float[2]", "values": ["1", "2"]}]]
    mul = next(part["facts"][1] for part in body if part["title"] == "Mul")
    assert mul["in"][1][2]["values"] == ["3", "4"]
    assert "k" not in [part["facts"][1].get("name") for part in document["scopes"][0]["parts"]]
    loop = next(part["facts"][1] for part in document["scopes"][0]["parts"] if part["title"] == "Loop")
    assert loop["inner"] == ["Loop_y/body"]


def test_a_change_inside_marks_the_node_around() -> None:
    document = compared(parse(LOOP), parse(LOOP.replace("t = Mul(u, k)", "t = Div(u, k)")))
    assert titles(document, "changed") == ["Loop"]
    inner = document["items"][0]["scope"]
    assert document["scopes"][inner]["label"] == "Loop_y/body"
    assert (titles(document, "removed", inner), titles(document, "inserted", inner)) == (["Mul"], ["Div"])


def test_a_graph_of_one_model_only_is_drawn() -> None:
    plain = LOOP.replace("y = Loop(n, c, x) <body", "z = Loop(n, c, x) <body").replace(
        "k) }> }", "k) }>\n y = Neg(z) }"
    )
    document = compared(parse(plain), parse(re.sub(r"z = Loop.+}>", "z = Neg(x)", plain, flags=re.DOTALL)))
    gone = [number for number, scope in enumerate(document["scopes"]) if scope["label"] == "Loop_z/body"]
    assert {part["status"] for part in document["scopes"][gone[0]]["parts"]} == {"removed"}


@pytest.mark.parametrize("name, value", [("relu_1", ""), ("r1", ""), ("", "r1"), ("", "w0"), ("", "y")])
def test_findings_find_their_node(name: str, value: str) -> None:
    finding = Diagnostic("OFX999", "a-rule", "error", "bad", node=name, op_type="Relu" if name else "", value=value)
    document = model_document(load(residual(10)), [finding])
    found = [document["scopes"][0]["parts"][part]["title"] for part in document["items"][0]["parts"]]
    assert found == {"w0": ["Conv"], "y": ["Add", "y"]}.get(value, ["Relu"])


def test_a_finding_without_a_place_is_listed() -> None:
    document = model_document(load(residual(10)), [Diagnostic("OFX999", "a-rule", "note", "odd", scope="elsewhere")])
    assert document["items"][0]["parts"] == []


@given(st.integers(ALL + 1, 900), st.data())
def test_folds_make_no_cycle_and_lose_nothing(count: int, data: st.DataObject) -> None:
    numbers = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    ends = [
        (int(numbers.integers(0, reader)), reader) for reader in range(1, count) for _ in range(numbers.integers(0, 3))
    ]
    renamed = numbers.permutation(count)
    ends = [(int(renamed[maker]), int(renamed[reader])) for maker, reader in ends]
    marked = [int(part) for part in numbers.choice(count, numbers.integers(0, 30), replace=False)]
    found = folds(count, ends, marked)
    for opened in (set(), {place for place, fold in enumerate(found) if fold.parent < 0}):
        box = list(range(count))
        for place, fold in enumerate(found):
            if place not in opened and (fold.parent < 0 or fold.parent in opened):
                for part in fold.parts:
                    assert box[part] == part, "a part is in two folds at once"
                    box[part] = count + place
        assert len(set(box)) <= 300 or opened
        assert acyclic({(box[maker], box[reader]) for maker, reader in ends if box[maker] != box[reader]})
    assert all(set(fold.parts) <= set(found[fold.parent].parts) for fold in found if fold.parent >= 0)


def test_what_is_marked_is_shown_with_its_neighbours() -> None:
    found = folds(1000, [(part, part + 1) for part in range(999)], [500], [0, 999])
    hidden = {part for fold in found for part in fold.parts}
    assert set(range(1000)) - hidden == {0, 498, 499, 500, 501, 502, 999}
    assert [fold.parent for fold in found] == [-1, *[0] * 7, -1, *[8] * 7]


def acyclic(ends: set[tuple[int, int]]) -> bool:
    """Whether all boxes can be taken away one after the other, those first that nothing leads to."""
    while ends:
        readers = {reader for _, reader in ends}
        rest = {(maker, reader) for maker, reader in ends if maker in readers}
        if len(rest) == len(ends):
            return False
        ends = rest
    return True


def test_many_nodes_become_few_boxes() -> None:
    model = residual(5000)
    for document in (compared(model, edited(model)), model_document(load(model))):
        scope = document["scopes"][0]
        hidden = {part for parent, parts in scope["folds"] if parent < 0 for part in parts}
        boxes = len(scope["parts"]) - len(hidden) + sum(parent < 0 for parent, _ in scope["folds"])
        assert boxes <= ALL
        assert max(len(parts) for parent, parts in scope["folds"] if parent >= 0 or document["mode"] == "show") <= 80


ODD = [np.nan, np.inf, -np.inf]
ARRAYS: list[tuple[Any, dict[str, Any]]] = [
    (
        np.arange(100, dtype=np.float32),
        {"size": 100, "of": 100, "odd": 0, "smallest": "0", "largest": "99", "mean": "49.5"},
    ),
    (np.array([*ODD, *range(20)], np.float32), {"odd": 3, "smallest": "0", "largest": "19"}),
    (np.full(50, np.nan, np.float16), {"size": 50, "of": 50, "odd": 50}),
    (np.full(50, 7, np.int64), {"smallest": "7", "largest": "7", "deviation": "0", "histogram": [50]}),
    (np.array([-1.7e308, 1.7e308] * 10), {"smallest": "-1.7e+308", "largest": "1.7e+308"}),
    (np.zeros((0, 3), np.float32), {"type": "float[0,3]", "values": []}),
    (np.array(True), {"type": "bool[]", "values": ["1"]}),
    (np.arange(10**6, dtype=np.int32), {"size": 10**6, "of": 16130, "smallest": "0"}),
]


@pytest.mark.parametrize("array, expected", ARRAYS)
def test_figures_of_weights(array: Any, expected: dict[str, Any]) -> None:
    figures = weight_figures(load(residual(10)), numpy_helper.from_array(array, "w"))
    assert figures | expected == figures
    if "histogram" in figures:
        assert sum(figures["histogram"]) == figures["of"] - figures["odd"]


def test_figures_of_what_has_none() -> None:
    model = load(residual(10))
    texts = onnx.helper.make_tensor("t", onnx.TensorProto.STRING, [2], ["a", "b"])  # type: ignore[list-item]
    assert weight_figures(model, texts) == {"type": "string[2]"}
    broken = onnx.TensorProto(name="b", data_type=1, dims=[3], raw_data=b"123")
    assert "unreadable" in weight_figures(model, broken)


class Reader(html.parser.HTMLParser):
    """Every element, and what would load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [name for name, _ in attrs if name in ("src", "href", "srcset", "data", "action")]


def test_hostile_names_make_no_element() -> None:
    plain = Reader(page(model_document(load(residual(10)))))
    text = page(model_document(load(hostile())))
    assert Reader(text).tags == plain.tags
    assert Reader(text).links == plain.links == []
    data = re.search(r"<script type='application/json' id='document'>(.*?)</script>", text, re.DOTALL)
    assert data and data[1].isascii() and "<" not in data[1]
    words = json.dumps(json.loads(data[1]), ensure_ascii=False)
    assert words.isprintable()
    assert max(map(len, re.findall(r'"((?:[^"\\]|\\.)*)"', words))) < 1200


def test_the_page_forbids_itself_the_network() -> None:
    text = page(model_document(load(residual(10))))
    assert "default-src 'none'" in text
    assert "@import" not in text and "url(" not in ASSETS.joinpath("page.css").read_text()


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be written"):
        write(tmp_path / "none" / "page.html", model_document(load(residual(10))))


@pytest.mark.parametrize("library, package", [("cytoscape", "cytoscape"), ("dagre", "@dagrejs/dagre")])
def test_libraries_have_their_version_and_licence(library: str, package: str) -> None:
    readme = ASSETS.joinpath("README.md").read_text()
    script = ASSETS.joinpath(f"{library}.min.js").read_text()
    version = re.search(rf"`{library}.min.js` \| \S+ (\d+\.\d+\.\d+)", readme)
    assert version and version[1] in script
    assert f"`{package}`" in readme
    assert "Permission is hereby granted, free of charge" in ASSETS.joinpath(f"{library}.LICENSE.txt").read_text()
    assert "sourceMappingURL" not in script


def test_a_wheel_has_every_package_and_the_assets() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    here = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "onnxfix").rglob("__init__.py")}
    assert here | {"onnxfix.report.assets"} <= set(settings["packages"])
    assert settings["package-data"]["onnxfix.report.assets"] == ["*"]
