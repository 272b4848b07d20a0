"""The pages in a real browser: they open without a script error, ask for nothing, and do what they promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from browser import CHROMIUM, Browser, browser
from page_models import compared, edited, hostile, residual

from onnxfix.model import load
from onnxfix.records import Diagnostic
from onnxfix.report.page.document import Document, model_document
from onnxfix.report.page.html import write

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium"),
]

BRANCHES = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N] x, bool c) => (float[N] y) {
  a = Relu(x)
  y = If(c) <then_branch = t () => (float[N] p) { q = Neg(a) p = Exp(q) },
             else_branch = e () => (float[N] r) { r = Sin(a) }> }"""


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def show(page: Browser, document: Document, place: Path, *, dark: bool = False) -> None:
    """Open the page, and see that nothing but the file was asked for."""
    page.errors.clear()
    page.requests.clear()
    write(place / "page.html", document)
    page.open(place / "page.html", dark=dark)
    assert page.requests == [(place / "page.html").as_uri()]
    assert not page.errors


def settled(page: Browser) -> None:
    """No error came, and nothing was asked for, until now."""
    page.run("new Promise(done => setTimeout(() => done(1), 150))")
    assert not page.errors
    assert len(page.requests) == 1


@pytest.mark.parametrize("size", [10, 500, 5000])
def test_pages_of_any_size_open(size: int, page: Browser, tmp_path: Path) -> None:
    model = residual(size)
    show(page, compared(model, edited(model)), tmp_path)
    boxes = page.run("cy.nodes().length")
    assert (boxes == len(model.graph.node) + 3) if size == 10 else 8 < boxes < 300
    assert page.run("cy.nodes('.inserted').length") == page.run("cy.nodes('.removed').length") == 1
    assert page.run("cy.nodes('.changed').length") == 2
    page.press("a")
    page.run(
        "new Promise(done => { const wait = () => busyIs() ? setTimeout(wait, 50) : done(1); const busyIs = () => "
        "!document.getElementById('busy').hidden; setTimeout(wait, 200); })"
    )
    assert page.run("cy.nodes().length") == len(model.graph.node) + 3
    settled(page)


@pytest.mark.parametrize("size", [500, 5000])
def test_boxes_do_not_overlap(size: int, page: Browser, tmp_path: Path) -> None:
    show(page, model_document(load(residual(size))), tmp_path)
    for key in "za":
        page.press(key)
        page.run("new Promise(done => setTimeout(() => done(1), 1500))")
        overlaps = page.run("""(() => {
          const boxes = cy.nodes().map(node => node.boundingBox({ includeLabels: false, includeOverlays: false }));
          boxes.sort((a, b) => a.y1 - b.y1);
          let found = 0;
          boxes.forEach((a, place) => {
            for (let next = place + 1; next < boxes.length && boxes[next].y1 < a.y2 - 1; next++)
              if (boxes[next].x1 < a.x2 - 1 && a.x1 < boxes[next].x2 - 1) found++;
          });
          return found; })()""")
        assert overlaps == 0


def test_keys_walk_through_the_changes(page: Browser, tmp_path: Path) -> None:
    model = residual(500)
    show(page, compared(model, edited(model)), tmp_path)
    seen = []
    for _ in range(page.run("Drawing.doc.items.length")):
        page.press("n")
        seen.append(page.run("document.querySelector('.item.current b').textContent"))
        assert page.run("cy.nodes('.picked, .shown').length") >= 1
    assert "Relu → LeakyRelu" in seen
    page.press("Escape")
    assert page.run("cy.nodes('.picked').length") == 0
    settled(page)


def test_names_are_folded_away_until_they_are_reached(page: Browser, tmp_path: Path) -> None:
    model = residual(10)
    model.graph.node[1].name = "other"
    show(page, compared(residual(10), edited(model)), tmp_path)
    last = "[...document.querySelectorAll('#items details')].at(-1)"
    assert page.run(f"{last}.open") is False
    assert page.run(f"{last}.querySelector('summary').textContent") == "name changed (1)"
    page.press("p")
    assert page.run(f"{last}.open") is True
    settled(page)


def test_a_node_tells_of_itself(page: Browser, tmp_path: Path) -> None:
    model = residual(10)
    show(page, compared(model, edited(model)), tmp_path)
    weight = "Drawing.doc.items.findIndex(item => item.kind === 'weight')"
    page.run(f"document.getElementById('item' + {weight}).click()")
    text = page.run("document.getElementById('details').innerText")
    assert "max" in text and "0.25" in text and "float[4,4,3,3]" in text and "float[N,4,8,8]" in text
    assert page.run("document.querySelectorAll('#details svg.difference rect').length") == 16
    assert page.run("document.querySelectorAll('#details svg:not(.difference) rect').length") >= 24
    page.run("Drawing.select('n' + Drawing.scope().parts.findIndex(part => part.facts[1]?.name === 'conv_0'))")
    assert "dilations" in page.run("document.querySelector('#details tr.differs').innerText")
    settled(page)


def test_search_unfolds_what_it_finds(page: Browser, tmp_path: Path) -> None:
    show(page, model_document(load(residual(500))), tmp_path)
    assert page.run("cy.nodes('.fold').length") > 2
    page.press("/")
    for letter in "relu_77":
        page.press(letter)
    assert page.run("document.querySelector('#results h2').textContent") == "1 found"
    page.press("Enter")
    assert page.run("cy.nodes('.picked').data('label')") == "Relu\nrelu_77"
    page.press("ArrowUp")
    assert page.run("cy.nodes('.picked').data('label')") == "Conv\nconv_77"
    page.press("c")
    assert page.run("cy.nodes('.picked').hasClass('fold')")
    page.press("Enter")
    assert page.run(
        "cy.getElementById(`n${Drawing.scope().parts.findIndex(p => p.facts.at(-1).name === 'conv_77')}`).length"
    )
    settled(page)


def test_subgraphs_are_entered_and_left(page: Browser, tmp_path: Path) -> None:
    one = onnx.parser.parse_model(BRANCHES)
    two = onnx.parser.parse_model(BRANCHES.replace("Neg", "Abs"))
    show(page, compared(one, two), tmp_path)
    assert page.run("cy.nodes('.changed').data('label')").startswith("If")
    page.press("n")
    assert page.run("Drawing.scope().label").endswith("then_branch")
    assert page.run("cy.nodes('.inserted').data('label')") == "Abs\nq"
    page.press("Backspace")
    assert page.run("Drawing.scope().label") == ""
    settled(page)


ODD = [
    "g () => () { }",
    "g (float[2] x) => (float[2] x) { }",
    "g (float[2] x) => (float[2] y) { y = Add(x, y) }",
    "g (float[2] x) => (float[2] y) { a = Add(x, b)  b = Relu(a)  y = Neg(b) }",
    "g (float[2] x) => (float[2] y) { y = Relu(x)  y = Neg(x)  = Abs(y)  z, = Split(nowhere) }",
    "g (float[2] x) => (float[2] y, float[2] y) { [n] y = Relu(x)  [n] b = Relu(x) }",
]


@pytest.mark.parametrize("text", ODD)
def test_odd_graphs_are_drawn(text: str, page: Browser, tmp_path: Path) -> None:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    for document in (model_document(load(model)), compared(model, edited(residual(10))), compared(residual(10), model)):
        show(page, document, tmp_path)
        for key in ("n", "ArrowDown", "ArrowLeft", "Enter", "c", "a", "z", "f", "Backspace", "Escape"):
            page.press(key)
        settled(page)


def test_light_and_dark(page: Browser, tmp_path: Path) -> None:
    document = model_document(load(residual(10)))
    paper = "getComputedStyle(document.body).backgroundColor"
    show(page, document, tmp_path, dark=True)
    assert page.run(paper) == "rgb(18, 22, 27)"
    show(page, document, tmp_path)
    assert page.run(paper) == "rgb(255, 255, 255)"
    page.press("t")
    assert page.run(paper) == "rgb(18, 22, 27)"
    page.press("t")
    settled(page)


def test_findings_are_marked(page: Browser, tmp_path: Path) -> None:
    finding = Diagnostic("OFX999", "a-rule", "error", "<b>bad</b>", node="relu_1", op_type="Relu")
    show(page, model_document(load(residual(10)), [finding]), tmp_path)
    assert page.run("cy.nodes('.level-error').data('label')") == "Relu\nrelu_1"
    page.press("n")
    assert "<b>bad</b>" in page.run("document.getElementById('details').innerText")
    settled(page)


def test_hostile_names_stay_text(page: Browser, tmp_path: Path) -> None:
    model = hostile()
    other = onnx.ModelProto()
    other.CopyFrom(model)
    other.graph.node[2].op_type = "Celu"
    document = compared(model, other)
    document["before"] = document["after"] = "</title><script>window.broken = 1</script>"
    show(page, document, tmp_path)
    for number in range(len(model.graph.node)):
        page.run(f"Drawing.select('n{number + 1}')")
    for _ in document["items"]:
        page.press("n")
    page.run("(e => { e.value = 'script'; e.dispatchEvent(new Event('input')); })(document.getElementById('search'))")
    assert page.run("document.querySelectorAll('#results .item').length") >= 2
    assert page.run("window.broken === undefined")
    assert page.run("document.querySelectorAll('img, body b:not(.item b), u, i').length") == 0
    shown = page.run("document.body.innerText")
    assert not {"\x1b", "\u202e", "\u200f", "\u2066"} & set(shown)
    settled(page)
