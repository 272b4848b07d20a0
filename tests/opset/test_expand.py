"""Operators written out as their schemas define them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import onnxfix
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.scope import scopes_of
from onnxfix.opset.expand import fits, written_out
from tests.decompose.proving import builds, model_of, prove, reason, unsafe

CODE = "OFX790"

DEFINED = {
    "LayerNormalization": """<ir_version: 8, opset_import: ["" : 17]>
g (float[B,S,8] x, float[8] s, float[8] b) => (float[B,S,8] y, float[B,S,1] m, float[B,S,1] i)
{ y, m, i = LayerNormalization <axis = -1> (x, s, b) }""",
    "LayerNormalization in half": """<ir_version: 8, opset_import: ["" : 18]>
g (float16[B,S,8] x, float16[8] s) => (float16[B,S,8] y, float[B,S,1] m)
{ y, m = LayerNormalization (x, s) }""",
    "SoftmaxCrossEntropyLoss": """<ir_version: 8, opset_import: ["" : 13]>
g (float[N,5,D] x, int64[N,D] t) => (float l, float[N,5,D] p)
{ l, p = SoftmaxCrossEntropyLoss <ignore_index = 2> (x, t) }""",
    "SoftmaxCrossEntropyLoss with weights": """<ir_version: 8, opset_import: ["" : 12]>
g (float[N,5] x, int64[N] t, float[5] w) => (float[N] l)
{ l = SoftmaxCrossEntropyLoss <reduction = "none"> (x, t, w) }""",
    "NegativeLogLikelihoodLoss": """<ir_version: 10, opset_import: ["" : 22]>
g (float[N,5] x, int64[N] t, float[5] w) => (float l) { l = NegativeLogLikelihoodLoss (x, t, w) }""",
    "CenterCropPad": """<ir_version: 8, opset_import: ["" : 18]>
g (float[N,3,H,W] x) => (float[N,3,4,6] y) <int64[2] s = {4, 6}> { y = CenterCropPad <axes = [2, 3]> (x, s) }""",
    "SwiGLU": """<ir_version: 14, opset_import: ["" : 28]>
g (float[N,4] a, float[N,4] b) => (float[N,4] y) { y = SwiGLU (a, b) }""",
    "LinearAttention": """<ir_version: 14, opset_import: ["" : 27]>
g (float[2,T,8] q, float[2,T,8] k, float[2,T,8] v) => (float[2,T,8] y, float[2,2,4,4] s)
{ y, s = LinearAttention <q_num_heads = 2, kv_num_heads = 2, update_rule = "linear"> (q, k, v) }""",
    "CausalConvWithState": """<ir_version: 14, opset_import: ["" : 27]>
g (float[B,4,T] x, float[4,1,3] w, float[4] b, float[B,4,2] s) => (float[B,4,T] y, float[B,4,2] n)
{ y, n = CausalConvWithState <activation = "silu"> (x, w, b, s) }""",
    "Attention with masks": """<ir_version: 11, opset_import: ["" : 23]>
g (float[B,2,S,8] q, float[B,2,S,8] k, float[B,2,S,8] v, bool[S,S] m) => (float[B,2,S,8] y)
{ y = Attention <is_causal = 1> (q, k, v, m) }""",
    "Attention with fewer heads of keys": """<ir_version: 11, opset_import: ["" : 23]>
g (float16[B,4,S,8] q, float16[B,2,S,8] k, float16[B,2,S,8] v) => (float16[B,4,S,8] y)
{ y = Attention <softcap = 3.0, scale = 0.5> (q, k, v) }""",
    "Attention with past and present": """<ir_version: 11, opset_import: ["" : 23]>
g (float[B,S,16] q, float[B,S,16] k, float[B,S,16] v, float[B,2,P,8] a, float[B,2,P,8] b)
  => (float[B,S,16] y, float[B,2,R,8] c, float[B,2,R,8] d)
{ y, c, d = Attention <q_num_heads = 2, kv_num_heads = 2, is_causal = 1> (q, k, v, "", a, b) }""",
}


@pytest.mark.parametrize("name", DEFINED)
def test_definition_computes_the_same_and_tensorrt_takes_it(name: str) -> None:
    text = DEFINED[name]
    result = prove(text, CODE)
    assert not builds(text)
    assert builds(result)


TAKEN = [
    (12, "Celu <alpha = 2.0> (x)"),
    (13, "Clip (x)"),
    (13, "MeanVarianceNormalization <axes = [0]> (x)"),
    (13, "Softmax <axis = 0> (x)"),
    (14, "HardSwish (x)"),
    (16, "LeakyRelu (x)"),
    (18, "Elu <alpha = 0.5> (x)"),
    (18, "LogSoftmax (x)"),
    (18, "Mish (x)"),
    (18, "ReduceL2 <keepdims = 0> (x, axes)"),
    (18, "Shrink <lambd = 0.3> (x)"),
    (20, 'Gelu <approximate = "tanh"> (x)'),
    (22, "HardSigmoid (x)"),
    (22, "Selu (x)"),
    (22, "Softplus (x)"),
    (22, "ThresholdedRelu (x)"),
    (24, "Swish <alpha = 0.5> (x)"),
]


@pytest.mark.parametrize(("opset", "call"), TAKEN)
def test_other_definitions_compute_the_same(opset: int, call: str) -> None:
    dims = "[N]" if "keepdims = 0" in call else "[N,M]"
    axes = "<int64[1] axes = {1}>" if "axes)" in call else ""
    text = f"g (float[3,4] x) => (float{dims} y) {axes} {{ y = {call} }}"
    prove(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}', CODE)


@settings(max_examples=15, deadline=None)
@given(
    heads=st.sampled_from([(2, 2), (4, 2), (3, 1)]),
    causal=st.booleans(),
    capped=st.booleans(),
    mask=st.sampled_from(["", "float[S,T] m", "bool[2,1,S,T] m"]),
    opset=st.sampled_from([23, 24]),
)
def test_forms_of_attention(heads: tuple[int, int], causal: bool, capped: bool, mask: str, opset: int) -> None:
    own, shared = heads
    text = f"""<ir_version: 11, opset_import: ["" : {opset}]>
g (float[2,{own},S,4] q, float[2,{shared},T,4] k, float[2,{shared},T,6] v{"," if mask else ""} {mask})
  => (float[2,{own},S,6] y)
{{ y = Attention <is_causal = {int(causal)}, softcap = {float(capped)}> (q, k, v{", m" if mask else ""}) }}"""
    prove(text, CODE)


def test_what_the_builder_refuses_in_a_branch_without_a_name_is_found(tmp_path: Path) -> None:
    proto = model_of("""<ir_version: 11, opset_import: ["" : 23]>
g (float[B,2,S,8] q, float[B,2,S,8] k, bool c) => (float[B,2,S,8] y) {
  y = If (c) <then_branch = t () => (float[B,2,S,8] u) { u = Attention (q, k, k) },
              else_branch = e () => (float[B,2,S,8] w) { w = Relu (q) }>
}""")
    onnx.save(proto, tmp_path / "model.onnx")
    report = onnxfix.repair(tmp_path / "model.onnx", tmp_path / "fixed.onnx", target="rtx1.7")
    assert report.verdict.outcome == "passed", report.unwritten
    assert CODE in {fix.code for fix in report.fixes}


def test_values_of_subgraphs_get_new_names() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
g (float a, float b, float prev, float current) => (float[N] y, float[M] z)
{ y = Range (a, b, prev)
  z = Range (a, b, current) }"""
    result = prove(text, CODE, {"a": _f(0), "b": _f(3), "prev": _f(1), "current": _f(0.5)})
    names = [name for scope in scopes_of(Model(result)) for name in (*scope.inputs, *scope.producer)]
    assert len(names) == len(set(names))
    assert sum(node.op_type == "Loop" for node in result.graph.node) == 2


def _f(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(value, dtype=np.float32)


def test_a_definition_that_needs_a_type_is_not_used_without_it() -> None:
    text = """<ir_version: 8, opset_import: ["" : 12, "own" : 1]>
g (float[3] x) => (float[3] y) { t = own.Strange (x)
  y = Celu (t) }"""
    scopes = scopes_of(Model(model_of(text)))
    assert written_out(scopes[0], 1, Names(scopes)) is None
    assert reason(text, CODE) == "Celu is not written out: its definition depends on the type of t, which is not known"


def test_random_definitions_are_unsafe() -> None:
    text = """<ir_version: 10, opset_import: ["" : 22]>
g (float[3] x) => (float[3] y) { y = Bernoulli (x) }"""
    assert unsafe(text, CODE)


def test_a_definition_that_counts_on_double_is_unsafe() -> None:
    text = """<ir_version: 8, opset_import: ["" : 18]>
g (int32[2,3] x) => (int32[2,1] y) <int64[1] a = {1}> { y = ReduceLogSumExp (x, a) }"""
    assert unsafe(text, CODE)


def test_nothing_is_said_of_an_operator_without_a_definition() -> None:
    assert reason("g (float[3] x) => (float[3] y) { y = Sin (x) }", CODE) == ""


def test_a_definition_fits_where_its_operators_have_kept_their_form() -> None:
    definition = onnx.parser.parse_function("""<domain: "own", opset_import: ["" : 11]>
f (x) => (y) { y = ReduceSum <axes = [1]> (x) }""")
    assert fits(definition, {"": 11})
    assert fits(definition, {"": 12})
    assert not fits(definition, {"": 13})
    definition.node[0].op_type = "ReduceMax"
    assert fits(definition, {"": 13})
    assert not fits(definition, {"": 18})
