"""Edits of the graph, each found as the one change that it is."""

from __future__ import annotations

import onnx
import pytest
from comparing import changes, model, report, told

PLAIN = "a = Relu(x) b = Tanh(a) y = Neg(b)"

EDITS = {
    "inserted": (PLAIN, "a = Relu(x) i = Identity(a) b = Tanh(i) y = Neg(b)", "Identity inserted"),
    "removed": (PLAIN, "a = Relu(x) y = Neg(a)", "Tanh removed"),
    "replaced": (PLAIN, "a = Relu(x) b = Sin(a) y = Neg(b)", "Tanh → Sin"),
    "fused": (PLAIN, "b = my.Both(x) y = Neg(b)", "Relu + Tanh → Both"),
    "at the end": (PLAIN, "a = Relu(x) b = Tanh(a) y = Abs(b)", "Neg → Abs"),
    "at the start": (PLAIN, "a = Sin(x) b = Tanh(a) y = Neg(b)", "Relu → Sin"),
    "attribute": ("y = Elu <alpha = 1.0> (x)", "y = Elu <alpha = 2.0> (x)", "Elu: alpha changed"),
    "attribute gone": ("y = Elu <alpha = 2.0> (x)", "y = Elu(x)", "Elu: alpha changed"),
    "swapped": (
        "a = Relu(x) b = Tanh(x) y = Sub(a, b)",
        "a = Relu(x) b = Tanh(x) y = Sub(b, a)",
        "Sub reads other values as input 0, 1",
    ),
    "rewired": (
        "a = Relu(x) b = Tanh(a) c = Sin(b) y = Add(a, c)",
        "a = Relu(x) b = Tanh(a) c = Sin(b) y = Add(b, c)",
        "Add reads other values as input 0",
    ),
    "alike": (
        "a = Relu(x) b = Relu(a) c = Relu(b) d = Relu(c) y = Neg(d)",
        "a = Relu(x) b = Relu(a) c = Relu(b) y = Neg(c)",
        "Relu removed",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_one_edit_is_one_change(name: str) -> None:
    old, new, message = EDITS[name]
    assert [change.message for change in changes(model(old), model(new), "names")] == [message]


@pytest.mark.parametrize("name", EDITS)
def test_back_again_is_one_change(name: str) -> None:
    old, new, _ = EDITS[name]
    there, back = report(model(old), model(new), "names"), report(model(new), model(old), "names")
    assert len(there.changes) == len(back.changes) == 1
    assert there.matched == back.matched


@pytest.mark.parametrize("name", EDITS)
def test_itself_is_no_change(name: str) -> None:
    for text in EDITS[name][:2]:
        assert not changes(model(text), model(text), placement=True)


def test_renaming_is_renaming() -> None:
    new = model("u = Relu(x) [n] v = Tanh(u) y = Neg(v)")
    assert told(model(PLAIN), new) == [
        ("renamed", "value a → u"),
        ("renamed", "node (no name) → n"),
        ("renamed", "value b → v"),
    ]
    assert not changes(model(PLAIN), new, "names")


def test_other_order_is_order() -> None:
    one, two = model("a = Relu(x) b = Tanh(x) y = Sub(a, b)"), model("b = Tanh(x) a = Relu(x) y = Sub(a, b)")
    assert told(one, two) == [("moved", "1 node stands at another place in the file")]
    assert not changes(one, two, "order")


def test_unrelated_edits_beside_each_other_are_two() -> None:
    one = model("a = Relu(x) b = Sin(x) y = Add(a, b)")
    two = model("c = Identity(x) b = Sin(c) y = Add(x, b)")
    assert {kind for kind, _ in told(one, two, "names")} == {"removed", "inserted"}


def test_branches_that_are_alike_are_not_confused() -> None:
    """A swap of the inputs of a Concat is that, and not two branches that were rewired."""
    old = "a = Relu(x) b = Relu(x) c = Tanh(a) d = Sin(b) e = Relu(c) f = Relu(d) y = Sub(e, f)"
    assert told(model(old), model(old.replace("Sub(e, f)", "Sub(f, e)"))) == [
        ("rewired", "Sub reads other values as input 0, 1")
    ]


def test_absent_inputs_at_the_end_are_nothing() -> None:
    assert not changes(model('y = Clip(x, "", "")'), model("y = Clip(x)"))


def test_attributes_count_by_their_values() -> None:
    """A tensor in an attribute may be stored as bytes or as numbers."""
    one = model("y = ConstantOfShape <value = float[1] {2.0}> (x)", inputs="int64[1] x")
    two = onnx.ModelProto.FromString(one.SerializeToString())
    tensor = two.graph.node[0].attribute[0].t
    array = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array))
    tensor.name = "other"
    assert tensor.HasField("raw_data")
    assert not changes(one, two)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array + 1))
    assert told(one, two) == [("attribute", "ConstantOfShape: value changed")]


BROKEN = {
    "made twice": ("a = Relu(x) a = Tanh(x) y = Neg(a)", "a = Relu(x) a = Sin(x) y = Neg(a)"),
    "cycle": ("a = Add(x, b) b = Relu(a) y = Neg(b)", "a = Add(x, b) b = Tanh(a) y = Neg(b)"),
    "made by nobody": ("a = Add(x, nothing) y = Neg(a)", "a = Sub(x, nothing) y = Neg(a)"),
    "dead": ("a = Relu(x) y = Neg(x)", "a = Tanh(x) y = Neg(x)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_graphs_are_compared_all_the_same(name: str) -> None:
    old, new = map(model, BROKEN[name])
    assert not changes(old, old)
    assert [change.kind for change in changes(old, new)] == ["replaced"]


def test_nodes_of_one_name_and_unsorted_nodes() -> None:
    one, two = model("[n] y = Add(a, b) [n] a = Relu(x) [n] b = Relu(x)"), model("[n] a = Relu(x) [n] y = Add(a, a)")
    assert not changes(one, one)
    assert {kind for kind, _ in told(one, two)} >= {"removed"}


IF = (
    "p = Tanh(x) q = Sin(x) y = If(c) <"
    "then_branch = t () => (float[4] a) { a = Relu(p) }, else_branch = e () => (float[4] b) { b = Neg(w) }>"
)
STORED = "<float[4] w = {1, 2, 3, 4}>"


def _branches(text: str, stored: str = STORED) -> onnx.ModelProto:
    return model(text, inputs="bool c, float[4] x", stored=stored)


def test_changes_inside_of_branches() -> None:
    found = changes(_branches(IF), _branches(IF.replace("Neg(w)", "Abs(w)")))
    assert [(change.message, change.scope) for change in found] == [("Neg → Abs", "If_y/else_branch")]
    found = changes(_branches(IF), _branches(IF.replace("Relu(p)", "Relu(q)")))
    assert [(change.message, change.scope) for change in found] == [
        ("Relu reads other values as input 0", "If_y/then_branch")
    ]
    assert not changes(_branches(IF), _branches(IF.replace("p", "z")), "names")


def test_a_weight_that_a_branch_reads() -> None:
    found = changes(_branches(IF), _branches(IF, STORED.replace("4}", "5}")))
    assert [(change.kind, change.subject, change.scope) for change in found] == [("weight", "w", "")]


FUNCTION = '} <domain: "my", opset_import: ["" : 17]> %s (u) => (w) { v = Relu(u) w = %s(v) }'


def _calling(name: str, last: str = "Tanh") -> onnx.ModelProto:
    return model(f"a = Abs(x) b = my.{name}(a) y = Neg(b) " + FUNCTION % (name, last))


def test_functions() -> None:
    assert told(_calling("f"), _calling("g")) == [("renamed", "function my.f → my.g")]
    assert told(_calling("f"), _calling("f", "Sin")) == [("replaced", "Tanh → Sin")]
    other = _calling("f")
    other.functions[0].opset_import[0].version = 18
    assert told(_calling("f"), other) == [("opset", "opset of ai.onnx in function my.f: 17 → 18")]


def test_nodes_put_into_a_function() -> None:
    plain = model("a = Abs(x) t = Relu(a) b = Tanh(t) y = Neg(b)")
    assert told(plain, _calling("f")) == [("function", "2 nodes put into the new function my.f")]
    assert told(_calling("f"), plain) == [("function", "2 nodes taken out of the former function my.f")]
    assert {kind for kind, _ in told(plain, _calling("f", "Sin"))} == {"function", "replaced"}
