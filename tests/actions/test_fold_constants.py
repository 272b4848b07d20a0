"""Folding: what becomes a constant has the value it would have had, and what is left alone."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from shape_chains import SIZES, Chain, chains, run

from onnxfix import sandbox
from onnxfix.actions.fold_constants import fold_constants
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, look, repair_model
from onnxfix.model import load

RULES = load_rules()


def folded(source: str | onnx.ModelProto) -> Outcome:
    """What the rule constant-subgraph makes of a model (opset 17 when the text has no line of versions)."""
    if isinstance(source, str):
        head = "" if source.startswith("<") else '<ir_version: 8, opset_import: ["" : 17]>\n'
        source = onnx.parser.parse_model(head + source)
    return repair_model(load(source), RULES, Options(select=("OFX301",)))


def operators(outcome: Outcome) -> list[str]:
    return [node.op_type for node in outcome.model.proto.graph.node]


def stored(outcome: Outcome, name: str) -> np.ndarray:
    tensor = next(t for t in outcome.model.proto.graph.initializer if t.name == name)
    return outcome.model.array(tensor)


@settings(max_examples=80, deadline=None)
@given(chains())
def test_random_shape_arithmetic_keeps_its_outputs(chain: Chain) -> None:
    values, outputs = list(chain.values), []
    for value in values[-3:]:
        outputs.append(chain.add("Identity", [value.name], value.rank, value.length, value.dtype).name)
    model = chain.model(outputs)
    outcome = folded(model)
    assert outcome.complaint == ""
    for sizes in SIZES:
        before, after = run(model, x=chain.input(sizes)), run(outcome.model.proto, x=chain.input(sizes))
        for one, other in zip(before, after, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert np.array_equal(one, other)
    assert folded(outcome.model.proto).journal == []


def test_a_chain_of_many_types() -> None:
    outcome = folded("""g (float[3] x) => (float[3] y) <int64[3] i = {1, 2, 3}, bool[3] b = {1, 0, 1}>
    { f = Cast<to = 1>(i) n = Not(b) g1 = Cast<to = 1>(n) s = Mul(f, g1) h = Exp(s) y = Add(x, h) }""")
    assert operators(outcome) == ["Add"]
    assert np.allclose(stored(outcome, "h"), np.exp([0, 2, 0]))


def test_types_that_onnx_runtime_does_not_compute() -> None:
    """ONNX's reference implementation steps in."""
    outcome = folded("""g (bfloat16[2] x) => (bfloat16[2] y) <float[2] f = {1, 2}>
    { a = Cast<to = 16>(f) b = Cos(a) c = Sin(b) y = Add(x, c) }""")
    assert operators(outcome) == ["Add"]
    assert np.allclose(stored(outcome, "c").astype(np.float32), np.sin(np.cos([1, 2])), atol=0.02)


KEPT = {
    "random": "g (float[2] x) => (float[2] y) { r = RandomNormal<shape = [2]>() n = Neg(r) y = Add(x, n) }",
    "random like": "g (float[2] x) => (float[2] y) <float[2] a = {1, 2}> { r = RandomUniformLike(a) y = Add(x, r) }",
    "bernoulli": "g (float[2] x) => (float[2] y) <float[2] a = {1, 0}> { r = Bernoulli(a) y = Add(x, r) }",
    "quantize": """g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float s = {0.5}, uint8 z = {0}>
    { q = QuantizeLinear(w, s, z) d = DequantizeLinear(q, s, z) y = Add(x, d) }""",
    "output of the graph": """g (float[2] x) => (float[2] y, float[2] z) <float[2] w = {1, 2}>
    { z = Neg(w) y = Add(x, z) }""",
    "constant": "g (float[2] x) => (float[2] y) { c = Constant<value = float[2] {1, 2}>() y = Add(x, c) }",
    "own operator": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { z = own.Neg(w) y = Add(x, z) }""",
    "control flow": """g (float[2] x) => (float[2] y) <bool c = {1}>
    { z = If(c) <then_branch = t () => (float[2] p) { p = Identity(x) },
                 else_branch = e () => (float[2] q) { q = Neg(x) }> y = Add(x, z) }""",
    "overridable": "g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { z = Neg(w) y = Add(x, z) }",
    "sequence": """g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, int64 i = {0}>
    { s = SequenceConstruct(w) z = SequenceAt(s, i) y = Add(x, z) }""",
    "too large": """g (float x) => (float[A,B] y) <int64[2] s = {3000, 3000}>
    { z = ConstantOfShape(s) y = Add(x, z) }""",
    "no such element": """g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, int64 i = {7}>
    { z = Gather(w, i) y = Add(x, z) }""",
    "string": """g (string[1] x) => (bool[1] y) <string[1] a = {"a"}>
    { z = StringNormalizer(a) y = Equal(x, z) }""",
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_left_alone(case: str) -> None:
    outcome = folded(KEPT[case])
    assert outcome.journal == []


def _with_weight(size: int, body: str) -> onnx.ModelProto:
    text = (
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[{size},2] x) => (float[A,B] y, float[C,D] z) {{ {body} }}'
    )
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((2, size), np.float32), "w"))
    return model


def test_a_weight_that_stays_in_use_is_not_stored_twice() -> None:
    shared = "t = Transpose(w) y = Add(x, t) z = Identity(w)"
    assert folded(_with_weight(20_000, shared)).journal == []
    assert len(folded(_with_weight(100, shared)).journal) == 1
    alone = "t = Transpose(w) y = Add(x, t) z = Identity(x)"
    assert "Transpose" not in operators(folded(_with_weight(20_000, alone)))


def test_the_limit_is_a_parameter() -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
    g (float[100] x) => (float[100] y) <int64[1] s = {100}> { c = ConstantOfShape(s) y = Add(x, c) }""")
    context, _ = look(load(model), RULES, Options())
    assert list(fold_constants(context, max_bytes=399)) == []
    assert len(list(fold_constants(context, max_bytes=400))) == 1


def test_what_does_not_fit_at_once_is_folded_in_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["onnxfix.actions.fold_constants"], "_AT_ONCE", 40)
    outcome = folded("""g (float[4] x) => (float[4] y) <float[4] a = {1, 2, 3, 4}>
    { b = Neg(a) c = Exp(b) d = Sin(c) y = Add(x, d) }""")
    assert operators(outcome) == ["Add"]
    assert [entry.round for entry in outcome.journal] == [1, 2, 3]


def test_a_crash_of_the_runtime_leaves_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sandbox.default().call

    def call(function: str, *arguments: object, **options: object) -> object:
        if function == "onnxfix.actions.evaluate:evaluate":
            raise sandbox.SandboxCrash(function, "SIGSEGV")
        return real(function, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox.default(), "call", call)
    outcome = folded("""g (float[2] x) => (float[2] y, int64[1] n) <float[2] w = {1, 2}>
    { z = Neg(w) y = Add(x, z) s = Shape(x) n = Identity(s) }""")
    assert operators(outcome) == ["Neg", "Add", "Identity"]


def test_without_elements_and_without_rank() -> None:
    outcome = folded("""g (float[N] x) => (float[N] y, float[0] e) <float[2] w = {1, 2}, int64[0] none = {}>
    { g1 = Gather(w, none) n1 = Neg(g1) e = Identity(n1) s = ReduceSum<keepdims = 0>(w) y = Add(x, s) }""")
    assert operators(outcome) == ["Identity", "Add"]
    assert (stored(outcome, "n1").shape, stored(outcome, "s").shape, float(stored(outcome, "s"))) == ((0,), (), 3.0)


def test_in_a_subgraph_and_for_a_subgraph() -> None:
    outcome = folded("""g (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}>
    { n = Neg(w) y = If(c) <then_branch = t () => (float[2] p) { e = Exp(n) p = Add(x, e) },
                            else_branch = f () => (float[2] q) { q = Add(x, n) }> }""")
    assert operators(outcome) == ["If"]
    then, other = (attribute.g for attribute in outcome.model.proto.graph.node[0].attribute)
    assert [node.op_type for node in then.node] == [node.op_type for node in other.node] == ["Add"]
    assert [tensor.name for tensor in then.initializer] == ["e"]
    assert outcome.complaint == ""


def test_in_a_function() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    g (float[2] x) => (float[2] y) { y = own.f<k = 2.0>(x) }
    <domain: "own", opset_import: ["" : 17]>
    f <k> (a) => (b) { c = Constant<value = float[2] {1, 2}>() n = Neg(c)
      r = Constant<value_float: float = @k>() m = Exp(r) s = Add(a, n) b = Mul(s, m) }"""
    outcome = folded(text)
    x = np.array([3, 5], np.float32)
    results = [run(model, x=x)[0] for model in (onnx.parser.parse_model(text), outcome.model.proto)]
    assert np.array_equal(*results)
    kinds = [node.op_type for node in outcome.model.proto.functions[0].node]
    assert "Exp" in kinds
    assert outcome.complaint == ""


def test_the_message_counts_the_nodes() -> None:
    (entry,) = folded("""g (float[2] x) => (float[2] y) <float[2] w = {1, 2}>
    { a = Neg(w) b = Exp(a) c = Exp(b) y = Add(x, c) }""").journal
    assert entry.message == "3 nodes compute constants: Neg, Exp"
