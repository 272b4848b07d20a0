"""Putting replacements into models: names, scopes, documentation, and several matches at once."""

from __future__ import annotations

import numpy as np
import onnx
from rewriting import attributes, graph_lines, lines, model_of, repaired, rule_of, run, same

TWO = rule_of("y = Relu(x)", "t = Neg(x)\ny = Add(t, k)", let={"k": 'tensor(1.0, "float")'})
FUNCTION = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[2] x) => (float[2] y) { y = own.f<slope = 0.5>(x) }
<domain: "own", opset_import: ["" : 17]>
f <slope> (a) => (b) { %s }"""


def test_new_names_collide_with_nothing() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    g (float[2] x, bool c) => (float[2] y, float[2] z, float[2] w) { y = Relu(x)
      z = If(c) <then_branch = t () => (float[2] y_t) { y_t = Exp(x) },
                 else_branch = e () => (float[2] q) { q = Abs(x) }>
      w = own.f(x) }
    <domain: "own", opset_import: ["" : 17]>
    f (a) => (y_k) { y_k = Neg(a) }"""
    outcome = repaired(text, TWO)
    assert graph_lines(outcome)[:2] == ["y_t_1 = Neg(x)", "y = Add(y_t_1, y_k_1)"]
    assert [tensor.name for tensor in outcome.model.proto.graph.initializer] == ["y_k_1"]
    assert outcome.complaint == ""


def test_a_sparse_initializer_has_a_name_too() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.graph.sparse_initializer.add().values.name = "y_t"
    assert graph_lines(repaired(model, TWO)) == ["y_t_1 = Neg(x)", "y = Add(y_t_1, y_k)"]


def test_names_of_earlier_replacements_are_not_given_again() -> None:
    text = "g (float[2] x) => (float[2] y) { y_t = Relu(x) a = Relu(y_t) y = Relu(a) }"
    outcome = repaired(text, TWO)
    made = [name for node in outcome.model.proto.graph.node for name in node.output]
    assert len(made) == len(set(made)) == 6
    assert len(outcome.journal) == 3
    assert {entry.round for entry in outcome.journal} == {1}


def test_node_names() -> None:
    text = "g (float[2] x) => (float[2] y, float[2] z) { [first] y = Relu(x) z = Relu(x) [first_Neg] a = Exp(x) }"
    outcome = repaired(text, TWO)
    assert [node.name for node in outcome.model.proto.graph.node] == ["first_Neg_1", "first", "", "", "first_Neg"]


def test_documentation_and_metadata_stay() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { y = Relu(x) z = Exp(x) }")
    model.graph.node[0].doc_string = "the first"
    model.graph.node[0].metadata_props.add(key="source", value="line 3")
    model.graph.node[1].metadata_props.add(key="source", value="line 4")
    model.metadata_props.add(key="author", value="me")
    proto = repaired(model, TWO).model.proto
    assert [node.doc_string for node in proto.graph.node] == ["the first", "the first", ""]
    assert [node.metadata_props[0].value for node in proto.graph.node] == ["line 3", "line 3", "line 4"]
    assert proto.metadata_props[0].value == "me"


def test_in_a_subgraph() -> None:
    text = """g (float[2] x, bool c) => (float[2] y) { y = If(c)
      <then_branch = t () => (float[2] p) { p = Relu(x) }, else_branch = e () => (float[2] q) { q = Relu(x) }> }"""
    outcome = repaired(text, TWO)
    then, other = (attribute.g for attribute in outcome.model.proto.graph.node[0].attribute)
    assert lines(then.node) == ["p_t = Neg(x)", "p = Add(p_t, p_k)"]
    assert lines(other.node) == ["q_t = Neg(x)", "q = Add(q_t, q_k)"]
    assert outcome.complaint == ""
    assert {entry.scope for entry in outcome.journal} == {"If_y/then_branch", "If_y/else_branch"}


def test_a_node_and_the_graph_inside_it_take_turns() -> None:
    rule = rule_of("y = Relu(x)", "y = Abs(x)")
    outer = rule_of("a = Exp(x)\ny = Add(a, x)", "y = Sub(x, x)", code="TST002")
    text = """g (float[2] x, bool c) => (float[2] y) { y = If(c)
      <then_branch = t () => (float[2] p) { b = Relu(x) a = Exp(b) p = Add(a, b) },
       else_branch = e () => (float[2] q) { q = Relu(x) }> }"""
    outcome = repaired(text, rule, outer)
    assert lines(outcome.model.proto.graph.node[0].attribute[0].g.node) == ["b = Abs(x)", "p = Sub(b, b)"]


def test_in_a_function() -> None:
    outcome = repaired(FUNCTION % "b = Relu(a)", TWO)
    assert lines(outcome.model.proto.functions[0].node) == ["b_k = Constant()", "b_t = Neg(a)", "b = Add(b_t, b_k)"]
    assert outcome.complaint == ""
    assert outcome.journal[0].scope == "function own.f"


def test_a_reference_to_an_attribute_of_the_function_is_carried_along() -> None:
    rule = rule_of("y = LeakyRelu<alpha: float = @a>(x)", "y = ThresholdedRelu<alpha: float = @a>(x)")
    outcome = repaired(FUNCTION % "b = LeakyRelu<alpha: float = @slope>(a)", rule)
    (node,) = outcome.model.proto.functions[0].node
    assert (node.op_type, node.attribute[0].name, node.attribute[0].ref_attr_name) == (
        "ThresholdedRelu",
        "alpha",
        "slope",
    )


def test_a_reference_to_an_attribute_of_the_function_has_no_value() -> None:
    text = FUNCTION % "b = LeakyRelu<alpha: float = @slope>(a)"
    for where in ("a is None", "a < 1", "not a"):
        assert not repaired(text, rule_of("y = LeakyRelu<alpha: float = @a>(x)", "y = Relu(x)", where=where)).journal
    assert not repaired(text, rule_of("y = LeakyRelu<alpha = 0.5>(x)", "y = Relu(x)")).journal
    assert not repaired(text, rule_of("y = LeakyRelu(x)", "y = Relu(x)")).journal


def test_captured_and_computed_attributes() -> None:
    rule = rule_of(
        "y = Transpose<perm: ints = @perm>(x)",
        "y = O<order: ints = @perm, turned: ints = @back, no: int = @none, half: float = @half, word: string = @w>(x)",
        let={"back": "reversed(perm)", "none": "None", "half": "len(perm) / 2", "w": '"ab"[1] + dtype(x)'},
    )
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[2,3,4] x) => (float[4,2,3] y) { y = Transpose<perm = [2,0,1]>(x) }"""
    (node,) = repaired(text, rule).model.proto.graph.node
    assert attributes(node) == {"order": [2, 0, 1], "turned": [1, 0, 2], "half": 1.5, "word": b"bfloat"}


def test_an_absent_capture_is_left_out() -> None:
    rule = rule_of("a = Abs(x)\ny = Transpose<perm: ints = @perm>(a)", "y = Transpose<perm: ints = @perm>(x)")
    outcome = repaired("g (float[2,3] x) => (float[3,2] y) { a = Abs(x) y = Transpose(a) }", rule)
    assert attributes(outcome.model.proto.graph.node[0]) == {}


def test_results_are_used_by_nodes_in_between() -> None:
    """The nodes of a match need not stand together; the order of the graph is restored."""
    rule = rule_of("p = Sin(x)\nr = Exp(p)\nq = Cos(x)", "q = Neg(x)\nr = Abs(q)")
    text = "g (float[2] x) => (float[2] r, float[2] z) { p = Sin(x) r = Exp(p) s = Sqrt(r) q = Cos(x) z = Add(s, q) }"
    outcome = repaired(text, rule)
    assert graph_lines(outcome) == ["q = Neg(x)", "r = Abs(q)", "s = Sqrt(r)", "z = Add(s, q)"]
    assert outcome.complaint == ""


def test_many_matches_in_one_round_and_overlapping_ones_later() -> None:
    rule = rule_of("a = Neg(x)\ny = Neg(a)", "y = Identity(x)")
    body = " ".join(f"v{n + 1} = Neg(v{n})" for n in range(7))
    text = f"g (float[2] v0) => (float[2] v7) {{ {body} }}"
    outcome = repaired(text, rule)
    assert [entry.round for entry in outcome.journal] == [1, 1, 1]
    assert [line.split(" = ")[1][:3] for line in graph_lines(outcome)].count("Neg") == 1
    value = {"v0": np.array([1, -2], np.float32)}
    assert same(run(outcome.model.proto, value), run(model_of(text), value))


def test_an_overlapping_rule_has_its_turn_in_the_next_round() -> None:
    first = rule_of("a = Sin(x)\ny = Exp(a)", "y = Exp(x)", code="TST001")
    second = rule_of("b = Exp(x)\ny = Sqrt(b)", "y = Abs(x)", code="TST002")
    text = "g (float[2] x) => (float[2] y) { a = Sin(x) b = Exp(a) y = Sqrt(b) }"
    outcome = repaired(text, first, second)
    assert [(entry.code, entry.round) for entry in outcome.journal] == [("TST001", 1), ("TST002", 2)]
    assert graph_lines(outcome) == ["y = Abs(x)"]


def test_the_journal_shows_the_nodes() -> None:
    (entry,) = repaired("g (float[2] x) => (float[2] y) { [n] y = Relu(x) }", TWO).journal
    assert (entry.code, entry.node, entry.round) == ("TST001", "n", 1)
    assert entry.before == ("[n] y = Relu (x)",)
    assert entry.after == ("[n_Neg] y_t = Neg (x)", "[n] y = Add (y_t, y_k)")


def test_an_initializer_in_a_model_older_than_ir_4_is_an_input_too() -> None:
    text = '<ir_version: 3, opset_import: ["" : 8]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    outcome = repaired(text, TWO)
    assert [value.name for value in outcome.model.proto.graph.input] == ["x", "y_k"]
    assert outcome.complaint == ""


def test_stored_values_stay_where_they_are() -> None:
    weights = onnx.numpy_helper.from_array(np.ones(4096, np.float32), "w")
    model = model_of("g (float[4096] x) => (float[4096] y) { a = Add(x, w) y = Relu(a) }")
    model.graph.initializer.append(weights)
    outcome = repaired(model, TWO)
    kept = next(t for t in outcome.model.proto.graph.initializer if t.name == "w")
    assert np.array_equal(outcome.model.array(kept), np.ones(4096, np.float32))
