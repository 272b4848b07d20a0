"""Finding patterns: what fits, and why the rest does not."""

from __future__ import annotations

import pytest
from rewriting import graph_lines, matched, model_of, repaired, rule_of

from onnxfix.rewrite.rule import Match, Mismatch

CHAIN = rule_of("a = Relu(x)\nb = Neg(a)\ny = Abs(b)", "y = Relu(x)")
DIAMOND = rule_of("a = Relu(x)\nb = Neg(a)\nc = Exp(a)\ny = Sub(b, c)", "y = Abs(x)")


def test_chain() -> None:
    found = matched("g (float[2] x) => (float[2] y) { a = Relu(x) b = Neg(a) y = Abs(b) }", CHAIN, "y")
    assert isinstance(found, Match)
    assert found.nodes == {2: 2, 1: 1, 0: 0}
    assert found.values == {"x": "x", "a": "a", "b": "b", "y": "y"}


@pytest.mark.parametrize("order", ["b = Neg(a) c = Exp(a)", "c = Exp(a) b = Neg(a)"])
def test_diamond_in_any_order_of_the_nodes(order: str) -> None:
    outcome = repaired(f"g (float[2] x) => (float[2] y) {{ a = Relu(x) {order} y = Sub(b, c) }}", DIAMOND)
    assert graph_lines(outcome) == ["y = Abs(x)"]


def test_diamond_needs_one_top() -> None:
    found = matched(
        "g (float[2] x, float[2] w) => (float[2] y) { a = Relu(x) d = Relu(w) b = Neg(a) c = Exp(d) y = Sub(b, c) }",
        DIAMOND,
        "y",
    )
    assert found == Mismatch("a would be two different values", 4)


def test_second_leaf_is_reached_through_users() -> None:
    rule = rule_of("p = Sin(x)\nq = Cos(x)", "q = Abs(x)\np = Neg(x)")
    text = "g (float[2] x) => (float[2] s, float[2] c, float[2] n) { s = Sin(x) n = Exp(x) c = Cos(x) }"
    assert sorted(graph_lines(repaired(text, rule))) == ["c = Abs(x)", "n = Exp(x)", "s = Neg(x)"]


def test_several_leaves_that_fit_are_all_tried() -> None:
    rule = rule_of("p = Neg(x)\nq = Softmax<axis = 0>(x)", "p = Abs(x)\nq = Relu(x)")
    text = """g (float[2,2] x) => (float[2,2] a, float[2,2] b, float[2,2] n)
    { a = Softmax<axis = 1>(x) n = Neg(x) b = Softmax<axis = 0>(x) }"""
    assert sorted(graph_lines(repaired(text, rule))) == ["a = Softmax(x)", "b = Relu(x)", "n = Abs(x)"]


def test_an_input_computed_from_the_other_result_is_refused() -> None:
    rule = rule_of("p = Sin(x)\nq = Add(x, z)", "p = Neg(x)\nq = Sub(x, z)")
    text = "g (float[2] x) => (float[2] q) { p = Sin(x) z = Exp(p) q = Add(x, z) }"
    assert matched(text, rule, "q") == Mismatch("an input of the match is computed from its own result", 2)


@pytest.mark.parametrize("sums", ["y = Add(b, z)", "y = Add(z, b)"])
@pytest.mark.parametrize("products", ["b = Mul(a, x)", "b = Mul(x, a)"])
def test_commutative_operators_at_every_level(sums: str, products: str) -> None:
    rule = rule_of("a = Neg(x)\nb = Mul(a, x)\ny = Add(b, z)", "y = Sub(z, x)")
    text = f"g (float[2] x, float[2] z) => (float[2] y) {{ a = Neg(x) {products} {sums} }}"
    assert graph_lines(repaired(text, rule)) == ["y = Sub(z, x)"]


def test_other_operators_keep_the_order_of_their_inputs() -> None:
    rule = rule_of("a = Neg(x)\ny = Sub(a, z)", "y = Add(x, z)")
    found = matched("g (float[2] x, float[2] z) => (float[2] y) { a = Neg(x) y = Sub(z, a) }", rule, "y")
    assert found == Mismatch("'z' is not made by Neg", 1)


def test_the_broadcast_attribute_of_old_opsets_fixes_the_order() -> None:
    rule = rule_of("a = Neg(x)\ny = Add<broadcast = 1>(a, z)", "y = Sub<broadcast = 1>(z, x)")
    text = """<ir_version: 3, opset_import: ["" : 6]>
    g (float[2,3] z, float[3] x) => (float[2,3] y) { a = Neg(x) y = Add<broadcast = 1>(z, a) }"""
    assert matched(text, rule, "y") == Mismatch("'z' is not made by Neg", 1)


@pytest.mark.parametrize(
    ("node", "result"),
    [
        ("y = Clip(x, low, high)", "y = Clip(x, low, high)"),
        ("y = Clip(x, low)", "y = Clip(x, low)"),
        ('y = Clip(x, "", high)', "y = Clip(x, , high)"),
        ('y = Clip(x, "", "")', "y = Clip(x)"),
        ("y = Clip(x)", "y = Clip(x)"),
    ],
)
def test_optional_inputs_are_taken_along_or_left_out(node: str, result: str) -> None:
    rule = rule_of("a = Abs(x)\ny = Clip(a, p, q)", "y = Clip(x, p, q)", optional=["p", "q"])
    text = f"g (float[2] z, float low, float high) => (float[2] y) {{ x = Abs(z) {node} }}"
    assert graph_lines(repaired(text, rule)) == [result.replace("x", "z")]


@pytest.mark.parametrize(
    ("node", "pattern"), [("Clip(x, low)", "Clip(x)"), ("Clip(x)", "Clip(x, p)"), ("Clip(x, low)", 'Clip(x, "", p)')]
)
def test_inputs_that_the_pattern_does_not_have(node: str, pattern: str) -> None:
    found = matched(
        f"g (float[2] x, float low) => (float[2] y) {{ y = {node} }}", rule_of(f"y = {pattern}", "y = Neg(x)"), "y"
    )
    assert isinstance(found, Mismatch)
    assert found.reason in (
        "an optional input is given where the pattern has none, or the reverse",
        "Clip has 2 inputs, the pattern 1",
    )


@pytest.mark.parametrize("count", [1, 2, 5])
def test_variadic_inputs(count: int) -> None:
    rule = rule_of("y = Max(x, others)", "y = Min(x, others)", variadic="others", where="len(others) < 5")
    values = [f"v{n}" for n in range(count)]
    inputs = ", ".join(f"float[2] {name}" for name in values)
    outcome = repaired(f"g ({inputs}) => (float[2] y) {{ y = Max({', '.join(values)}) }}", rule)
    assert graph_lines(outcome) == [f"y = Min({', '.join(values)})"]


def test_variadic_outputs() -> None:
    rule = rule_of(
        "parts = Split(x, sizes)", "parts = Split(x, sizes)", variadic_outputs="parts", where="len(parts) == 3"
    )
    text = """g (float[6] x) => (float[2] a, float[2] b, float[2] c) <int64[3] s = {2, 2, 2}>
    { a, b, c = Split(x, s) }"""
    found = matched(text, rule, "a")
    assert isinstance(found, Match)
    assert found.rest_outputs == ("a", "b", "c")


LEAKS = {
    "used elsewhere": (
        "g (float[2] x) => (float[2] y, float[2] z) { a = Relu(x) b = Neg(a) y = Abs(b) z = Exp(a) }",
        "'a', inside the match, is also used elsewhere",
    ),
    "output of the graph": (
        "g (float[2] x) => (float[2] y, float[2] b) { a = Relu(x) b = Neg(a) y = Abs(b) }",
        "'b', inside the match, is an output of the graph",
    ),
    "read by a subgraph": (
        """g (float[2] x, bool c) => (float[2] y, float[2] z) { a = Relu(x) b = Neg(a) y = Abs(b)
        z = If(c) <then_branch = t () => (float[2] p) { p = Exp(b) },
                   else_branch = e () => (float[2] q) { q = Exp(x) }> }""",
        "'b', inside the match, is also used elsewhere",
    ),
    "returned by a subgraph": (
        """g (float[2] x, bool c) => (float[2] y, float[2] z) { a = Relu(x) b = Neg(a) y = Abs(b)
        z = If(c) <then_branch = t () => (float[2] b) { }, else_branch = e () => (float[2] q) { q = Exp(x) }> }""",
        "'b', inside the match, is also used elsewhere",
    ),
}


@pytest.mark.parametrize("case", LEAKS)
def test_an_interior_value_that_something_else_needs(case: str) -> None:
    text, reason = LEAKS[case]
    assert matched(text, CHAIN, "y") == Mismatch(reason, 3)
    assert repaired(text, CHAIN).journal == []


def test_a_result_may_be_used_anywhere() -> None:
    rule = rule_of("a = Relu(x)\ny = Neg(a)", "a = Abs(x)\ny = Exp(a)")
    text = "g (float[2] x) => (float[2] a, float[2] y, float[2] z) { a = Relu(x) z = Sin(a) y = Neg(a) }"
    assert sorted(graph_lines(repaired(text, rule))) == ["a = Abs(x)", "y = Exp(a)", "z = Sin(a)"]


def test_another_output_in_use_is_refused() -> None:
    rule = rule_of("y = MaxPool<kernel_shape = [1]>(x)", "y = Relu(x)")
    text = "g (float[1,1,4] x) => (float[1,1,4] y, int64[1,1,4] i) { y, i = MaxPool<kernel_shape = [1]>(x) }"
    assert matched(text, rule, "y") == Mismatch("MaxPool has another output, 'i', in use", 1)
    unused = "g (float[1,1,4] x) => (float[1,1,4] y) { y, i = MaxPool<kernel_shape = [1]>(x) }"
    assert graph_lines(repaired(unused, rule)) == ["y = Relu(x)"]


def test_the_condition_is_the_reason() -> None:
    rule = rule_of("y = Relu(x)", "y = Abs(x)", where="rank(x) == 3")
    text = "g (float[2] x) => (float[2] y) { y = Relu(x) }"
    assert matched(text, rule, "y") == Mismatch("the condition does not hold: rank(x) == 3", 1)
    unknown = rule_of("y = Relu(x)", "y = Abs(x)", where="ints(x)[0] == 3")
    assert matched(text, unknown, "y") == Mismatch("'x' is not a constant", 1)


def test_a_let_that_does_not_fit_its_attribute_is_a_mismatch() -> None:
    rule = rule_of("y = Relu(x)", "y = Softmax<axis: int = @a>(x)", let={"a": "shape(x)"})
    found = matched("g (float[2] x) => (float[2] y) { y = Relu(x) }", rule, "y")
    assert found == Mismatch("the attribute axis of type INT cannot be [2]", 1)


def test_the_furthest_attempt_gives_the_reason() -> None:
    rule = rule_of("a = Relu(x)\nb = Neg(a)\ny = Add(b, z)", "y = Sub(z, x)")
    text = "g (float[2] x, float[2] z) => (float[2] y) { a = Exp(x) b = Neg(a) y = Add(z, b) }"
    assert matched(text, rule, "y") == Mismatch("Exp stands where the pattern has Relu", 2)


def test_a_pattern_of_fifty_nodes() -> None:
    pattern = "\n".join(f"v{n + 1} = Neg(v{n})" for n in range(50))
    body = " ".join(f"v{n + 1} = Neg(v{n})" for n in range(50))
    outcome = repaired(f"g (float[2] v0) => (float[2] v50) {{ {body} }}", rule_of(pattern, "v50 = Abs(v0)"))
    assert graph_lines(outcome) == ["v50 = Abs(v0)"]


def test_a_pattern_with_a_million_ways_to_fit_ends_soon() -> None:
    pattern = ["a0 = Relu(x)"] + [f"a{n + 1} = Add(a{n}, b{n})" for n in range(20)]
    rule = rule_of("\n".join(pattern), "a20 = Neg(x)\n" + "\n".join(f"w{n} = Neg(b{n})" for n in range(20)))
    body = "c0 = Exp(x) " + " ".join(f"c{n + 1} = Add(c{n}, c{n})" for n in range(20))
    found = matched(f"g (float[2] x) => (float[2] c20) {{ {body} }}", rule, "c20")
    assert isinstance(found, Mismatch)


def test_the_model_of_the_caller_is_not_changed() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { a = Relu(x) b = Neg(a) y = Abs(b) }")
    before = model.SerializeToString(deterministic=True)
    assert repaired(model, CHAIN).journal
    assert model.SerializeToString(deterministic=True) == before
