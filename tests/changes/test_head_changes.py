"""Everything besides the nodes: interface, opsets, versions, metadata with the journal, documentation, types."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from comparing import changes, model, report, told

import onnxfix
from onnxfix.api.diff import diff
from onnxfix.changes.journal import in_words

PLAIN = model("y = Relu(x)")


def _copy(source: onnx.ModelProto = PLAIN) -> onnx.ModelProto:
    return onnx.ModelProto.FromString(source.SerializeToString())


INTERFACES = {
    "name": (model("y = Relu(z)", inputs="float[4] z"), ("input", "input x → z")),
    "dtype": (model("y = Relu(x)", inputs="double[4] x"), ("input", "input x: float[4] → double[4]")),
    "shape": (model("y = Relu(x)", inputs="float[N] x"), ("input", "input x: float[4] → float[N]")),
    "both": (model("y = Relu(z)", inputs="float[N] z"), ("input", "input x → z: float[4] → float[N]")),
    "new input": (model("y = Relu(x)", inputs="float[4] x, float[1] z"), ("input", "input z added")),
    "new output": (model("y = Relu(x)", outputs="float[4] y, float[4] x"), ("output", "output x added")),
    "output": (model("z = Relu(x)", outputs="float[4] z"), ("output", "output y → z")),
}


@pytest.mark.parametrize("name", INTERFACES)
def test_interface(name: str) -> None:
    other, expected = INTERFACES[name]
    assert expected in told(PLAIN, other)
    assert {kind for kind, _ in told(PLAIN, other)} <= {expected[0], "renamed"}


def test_names_of_the_interface_can_be_ignored() -> None:
    assert not changes(PLAIN, model("z = Relu(v)", inputs="float[4] v", outputs="float[4] z"), "names")
    assert changes(PLAIN, model("z = Relu(v)", inputs="float[2] v", outputs="float[4] z"), "names")


def test_another_order() -> None:
    pair = "float[4] a, float[4] b"
    one, two = (model("y = Sub(a, b)", inputs=text) for text in (pair, "float[4] b, float[4] a"))
    assert told(one, two) == [("input", "inputs in another order")]
    made = "a = Relu(x) b = Tanh(x)"
    one, two = (model(made, outputs=text) for text in (pair, "float[4] b, float[4] a"))
    assert told(one, two) == [("output", "outputs in another order")]


def test_sequences() -> None:
    one, two = (
        model("y = ConcatFromSequence <axis = 0> (x)", inputs=f"seq({dtype}[2]) x") for dtype in ("float", "double")
    )
    assert told(one, two) == [("input", "input x: seq(float[2]) → seq(double[2])")]


def test_inputs_with_defaults() -> None:
    """Before IR version 4 every stored tensor was listed as an input, which said nothing."""
    one = model("y = Add(x, w)", stored="<float[4] w = {1, 2, 3, 4}>")
    two = _copy(one)
    two.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [4]))
    assert told(one, two) == [("input", "input w, which has a default, added")]
    one.ir_version = two.ir_version = 3
    assert not changes(one, two)


def test_versions_and_texts() -> None:
    two = _copy()
    two.opset_import[0].version = 18
    two.opset_import.add(domain="other", version=2)
    two.ir_version = 9
    two.producer_name = "exporter"
    two.doc_string = "a text"
    two.graph.node[0].doc_string = "a node"
    two.graph.name = "h"
    two.metadata_props.add(key="author", value="somebody")
    assert told(PLAIN, two) == [
        ("opset", "opset of ai.onnx: 17 → 18"),
        ("opset", "opset of other: none → 2"),
        ("ir-version", "IR version 8 → 9"),
        ("metadata", "author: none → somebody"),
        ("metadata", "producer: none → exporter"),
        ("docs", "documentation of model: none → a text"),
        ("renamed", "graph g → h"),
        ("docs", "documentation of node y"),
    ]
    kept = {kind for kind, _ in told(PLAIN, two, "names", "docs", "metadata")}
    assert kept == {"opset", "ir-version"}


def test_declared_types_follow_their_values() -> None:
    one, two = model("a = Relu(x) y = Neg(a)"), model("b = Relu(x) y = Neg(b)")
    for made, name, size in ((one, "a", 4), (two, "b", 4)):
        made.graph.value_info.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [size]))
    assert told(one, two, "names") == []
    two.graph.value_info[0].type.tensor_type.shape.dim[0].dim_value = 5
    assert told(one, two, "names") == [("value-info", "declared types of inner values: 1 changed")]
    assert not changes(one, two, "names", "value-info")


def test_training_information_is_told_of() -> None:
    two = _copy()
    two.training_info.add().algorithm.name = "train"
    assert told(PLAIN, two) == [("metadata", "other training information")]


UPSAMPLE = """<ir_version: 6, opset_import: ["" : 11]> g (float[1, 2, 4, 4] x) => (float[1, 2, 8, 8] y)
{ a = Relu(x) [up] b = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (a) y = Neg(b) }"""


def test_a_repair_explains_itself(tmp_path: Path) -> None:
    source, fixed = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(onnx.parser.parse_model(UPSAMPLE), source)
    onnxfix.repair(source, fixed, verify="none")
    found = diff(source, fixed).changes
    (piece,) = [change for change in found if change.kind == "replaced"]
    assert (piece.message, piece.rule) == ("Upsample → Resize", "OFX001")
    (journal,) = [change for change in found if change.kind == "metadata"]
    assert journal.message.startswith(f"repaired by onnxfix {onnxfix.__version__}: OFX001 upsample-op")
    assert "{" not in journal.message


@pytest.mark.parametrize(
    "text", ["{}", "[1]", '{"fixes": 3}', "no JSON", '{"version": "1", "fixes": [{}]}', "[" * 9999]
)
def test_a_journal_of_somebody_else_stays_as_it_is(text: str) -> None:
    assert in_words(text) == text
    two = _copy()
    two.metadata_props.add(key="onnxfix", value=text)
    assert [change.kind for change in changes(PLAIN, two)] == ["metadata"]


def test_the_report() -> None:
    found = report(PLAIN, model("y = Tanh(x)"))
    assert (found.nodes, found.matched, found.exit_code) == ((1, 1), 0, 1)
    assert report(PLAIN, _copy()).exit_code == 0
    document = found.to_json()
    assert document["changes"][0]["message"] == "Relu → Tanh"
