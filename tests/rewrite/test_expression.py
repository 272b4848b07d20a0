"""The language of conditions: Python's values, and nothing of Python's power."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewriting import model_of

from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.rewrite.expression import ExpressionError, Unknown, parse_expression
from onnxfix.rewrite.functions import functions_for

FUNCTIONS = functions_for(typed_scopes(load(model_of("g (float[2,N] x) => (float[2,N] y) { y = Relu(x) }")))[0][0])


def value_of(source: str, **names: Any) -> Any:
    return parse_expression(source, FUNCTIONS).evaluate(FUNCTIONS, names)


NAMES = {"i": 3, "j": -2, "k": 0, "items": [4, 1, 3], "empty": [], "mode": "linear", "none": None}


def _extended(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two, three = st.tuples(inner, inner), st.tuples(inner, inner, inner)
    return st.one_of(
        st.tuples(two, st.sampled_from(["+", "-", "*", "/", "//", "%"])).map(lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"),
        st.tuples(two, st.sampled_from(["<", "<=", "==", "!=", ">", ">=", "in", "not in"])).map(
            lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"
        ),
        three.map(lambda t: f"({t[0]} < {t[1]} <= {t[2]})"),
        st.tuples(two, st.sampled_from(["and", "or"])).map(lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"),
        inner.map(lambda a: f"(not {a})"),
        inner.map(lambda a: f"(-{a})"),
        three.map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        two.map(lambda t: f"[{t[0]}, {t[1]}]"),
        two.map(lambda t: f"{t[0]}[{t[1]}]"),
        two.map(lambda t: f"{t[0]}[{t[1]}:]"),
        inner.map(lambda a: f"{a}[::-1]"),
        st.tuples(st.sampled_from(["len", "sum", "min", "max", "abs", "sorted", "any", "all"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        three.map(lambda t: f"[{t[0]} for i in {t[1]} if {t[2]}]"),
        three.map(lambda t: f"[{t[0]} for i in {t[1]} for k in {t[2]}]"),
        two.map(lambda t: f"all({t[0]} for j in {t[1]})"),
    )


EXPRESSIONS = st.recursive(
    st.sampled_from(["0", "1", "2", "-3", "0.5", "True", "None", '"linear"', "[]", "[1, 2, 5]", *NAMES]),
    _extended,
    max_leaves=8,
)
PYTHON = {name: __builtins__[name] for name in ("len", "sum", "min", "max", "abs", "sorted", "any", "all")}  # type: ignore[index]


@settings(max_examples=600, deadline=None)
@given(EXPRESSIONS)
def test_every_value_is_python_s(source: str) -> None:
    """Where Python raises, the value is unknown; texts are not repeated or formatted, lists not multiplied."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            expected = eval(source, {"__builtins__": PYTHON, **NAMES})
    except Exception:
        with pytest.raises(Unknown):
            value_of(source, **NAMES)
        return
    try:
        assert value_of(source, **NAMES) == expected
    except Unknown as unknown:
        assert "is for numbers" in str(unknown)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("x.shape", "Attribute is not part of the language at column 1"),
        ("().__class__", "Attribute is not part of the language at column 1"),
        ("lambda: 1", "Lambda is not part of the language at column 1"),
        ("(y := 3)", "NamedExpr is not part of the language at column 2"),
        ("2 ** 9", "Pow is not part of the language"),
        ("1 << 9", "LShift is not part of the language"),
        ("~1", "Invert is not part of the language"),
        ("f'{x}'", "JoinedStr is not part of the language at column 1"),
        ("{1: 2}", "Dict is not part of the language at column 1"),
        ("{1}", "Set is not part of the language at column 1"),
        ("[*x]", "Starred is not part of the language at column 2"),
        ("len(*x)", "Starred is not part of the language at column 5"),
        ("await x", "Await is not part of the language at column 1"),
        ("(yield)", "Yield is not part of the language at column 2"),
        ("{a: b for a in x}", "DictComp is not part of the language at column 1"),
        ("max(x, key=len)", "functions take no keyword arguments at column 1"),
        ("[a for a, b in x]", "a comprehension binds one name"),
        ("[a async for a in x]", "a comprehension binds one name"),
        ("x(1)(2)", "only functions can be called at column 1"),
        ("x[0](1)", "only functions can be called at column 1"),
        ("b'x'", "the constant b'x' is not part of the language at column 1"),
        ("...", "the constant Ellipsis is not part of the language at column 1"),
        ("1j", "the constant 1j is not part of the language at column 1"),
        ("", "not an expression: invalid syntax"),
        ("x =", "not an expression: invalid syntax"),
        ("x; y", "not an expression: invalid syntax"),
        ("import os", "not an expression: invalid syntax"),
        ("x\0", "not an expression: source code string cannot contain null bytes"),
        ("1" * 2001, "longer than 2000 characters"),
        ("(" * 150 + "1" + ")" * 150 + " +", "not an expression: invalid syntax"),
        ("[" * 100 + "]" * 100, "nested deeper than 60"),
        ("not " * 100 + "x", "nested deeper than 60"),
        ("-" * 100 + "1", "nested deeper than 60"),
        ("+".join("1" * 100), "nested deeper than 60"),
    ],
)
def test_refused(source: str, cause: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(source, FUNCTIONS)
    assert str(caught.value) == cause


@pytest.mark.parametrize(
    "text", ["(" * 1999, "-" * 1999, "[" * 1999, "not " * 499, "1+" * 999 + "1", "x[" * 900, "a if b else " * 160 + "1"]
)
def test_deep_texts_do_not_end_the_process(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(text, FUNCTIONS)


@pytest.mark.parametrize("name", ["__import__", "open", "eval", "getattr", "type", "print", "range"])
def test_functions_of_python_are_unknown(name: str) -> None:
    with pytest.raises(ExpressionError, match=f"^unknown function {name} at column 1; there are: is_const, has, "):
        parse_expression(f"{name}(1)", FUNCTIONS)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a + b", {"a", "b"}),
        ("[i for i in a]", {"a"}),
        ("[i for i in a] + [i]", {"a", "i"}),
        ("[i for i in i]", {"i"}),
        ("[i + k for i in a for k in i]", {"a"}),
        ("[k for i in a for k in k]", {"a", "k"}),
        ("[i for i in a if i > b]", {"a", "b"}),
        ("all(i == c for i in a)", {"a", "c"}),
        ("[[i for i in a] for k in b if i]", {"a", "b", "i"}),
        ("len(a) + len", {"a", "len"}),
        ("dim(x, 1)", {"x"}),
        ("None", set()),
    ],
)
def test_free_names(source: str, names: set[str]) -> None:
    assert parse_expression(source, FUNCTIONS).names == names


def test_a_comprehension_hides_a_name_only_inside() -> None:
    assert value_of("[i for i in items] + [i]", i=7, items=[1, 2]) == [1, 2, 7]
    assert value_of("[i for i in i]", i=[3]) == [3]
    assert value_of("[[k for i in i] for k in i]", i=[1, 2]) == [[1, 1], [2, 2]]


BOMBS = {
    "steps": "[1 for a in count(300) for b in count(300)]",
    "long list": "count(100001)",
    "longer list": "repeat([0], 100001)",
    "sum of lists": "[len(count(90000) + count(90000))]",
    "lists in lists": "repeat([count(1000)], 1000)",
    "deep lists": "tensor(repeat([repeat([repeat([0], 1000)], 1000)], 1000), 'float')",
    "comparison": "[count(99999) == count(99999) for a in count(100)]",
    "look-up": "[99999 in count(99999) for a in count(100)]",
    "large number": "18446744073709551615 + 1",
    "larger number": "prod(repeat([9000000000000000000], 90000))",
    "hexadecimal": "int('f', 16)",
    "rounding": "round(5, 0 - 1000000000)",
    "formatting": "'%1000000000d' % 1",
    "text": "'a' * 1000000000",
    "text by a function": "repeat('a', 1000000000)",
    "sum with a start": "sum([[1]], [])",
    "endless number": "int(float('inf'))",
    "not a number": "count(float('nan'))",
    "division": "1 / 0",
    "index": "[1][2]",
    "types": "1 + 'a'",
    "order": "1 < 'a'",
    "call": "len(1)",
    "arguments": "len()",
    "ragged": "tensor([[1], [1, 2]], 'float')",
    "unknown dtype": "tensor([1], 'number')",
    "too small a dtype": "tensor([300], 'int8')",
    "a fraction": "tensor([0.5], 'int64')",
    "shape of nothing": "shape('nothing')",
    "dimension": "dim('x', 1)",
    "constant": "value('x')",
    "type number": "type_number('nothing')",
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_value_that_cannot_be_known_is_unknown_soon(case: str) -> None:
    started = time.process_time()
    with pytest.raises(Unknown):
        value_of(BOMBS[case])
    assert time.process_time() - started < 2


def test_facts_of_values() -> None:
    model = model_of("""g (float[2,N] x, float16[3] h) => (float[2,N] y, float[A,B] z)
    <int64[2] c = {3, 4}, float s = {1.5}>
    { k = Constant<value_ints = [7, 8]>() y = Relu(x) z = Reshape(x, c) w = Neg(y) }""")
    functions = functions_for(typed_scopes(load(model))[0][0])
    table = {
        "shape('x')": [2, "N"],
        "rank('x')": 2,
        "dim('x', 0)": 2,
        "static('x')": False,
        "static('h')": True,
        "dtype('h')": "float16",
        "is_const('c')": True,
        "is_const('k')": True,
        "is_const('x')": False,
        "is_const('')": False,
        "has('x')": True,
        "has('')": False,
        "ints('c')": [3, 4],
        "ints('k')": [7, 8],
        "value('s')": 1.5,
        "floats('s')": [1.5],
        "uses('x')": 2,
        "uses('y')": 2,
        "uses('w')": 0,
        "same('x', 'x')": True,
        "opset()": 17,
        "rank_known('nothing')": False,
    }
    for source, expected in table.items():
        assert parse_expression(source, functions).evaluate(functions, {}) == expected, source
    with pytest.raises(Unknown, match="does not hold integers"):
        parse_expression("ints('s')", functions).evaluate(functions, {})


def test_two_unknown_sizes_are_not_equal() -> None:
    model = model_of("g (float[?,2] x, float[?,2] y) => (float[P,Q] z) { z = Add(x, y) }")
    functions = functions_for(typed_scopes(load(model))[0][0])
    for source, expected in {"shape('x') == shape('y')": False, "shape('x') == shape('x')": True}.items():
        assert parse_expression(source, functions).evaluate(functions, {}) is expected
