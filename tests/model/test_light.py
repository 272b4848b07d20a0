"""Without its weights a model has the same types, and the checker says the same of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.external_data_helper import convert_model_to_external_data

from onnxfix.model import light_proto, load
from onnxfix.model.inference import typed_scopes

HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
BIG = np.ones((40, 50), np.float32)


def saved(folder: Path, text: str, **values: np.ndarray) -> Path:
    """The model with its large tensors, constants too, in w.bin; `values` are those of initializers by name."""
    model = onnx.parser.parse_model(text)
    for graph in (model.graph, *(a.g for node in model.graph.node for a in node.attribute if a.HasField("g"))):
        for tensor in graph.initializer:
            if tensor.name in values:
                tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))
    convert_model_to_external_data(model, location="w.bin", size_threshold=1000, convert_attribute=True)
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


def constant_to(model: onnx.ModelProto, name: str, array: np.ndarray) -> None:
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        for node in nodes:
            if name in node.output:
                node.attribute[0].t.CopyFrom(numpy_helper.from_array(array, name))


def test_a_model_without_large_weights_is_its_own_light_copy() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    proto = onnx.parser.parse_model(text)
    assert light_proto(load(proto)) == proto


def test_initializers_become_inputs(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        HEAD + "g (float[2,40] x) => (float[2,50] y) <float[1] w = {0.0}> { y = MatMul(x, w) }",
        w=BIG,
    )
    light = light_proto(load(path))
    onnx.checker.check_model(light, full_check=True)
    assert [value.name for value in light.graph.input] == ["x", "w"]
    assert not light.graph.initializer


def test_an_initializer_that_is_an_input_already() -> None:
    text = """<ir_version: 3, opset_import: ["" : 8]>
    g (float[2,40] x, float[40,50] w) => (float[2,50] y) { y = MatMul(x, w) }"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(numpy_helper.from_array(BIG, "w"))
    light = light_proto(load(model))
    onnx.checker.check_model(light, full_check=True)
    assert [value.name for value in light.graph.input] == ["x", "w"]


BRANCHES = """<ir_version: 8, opset_import: ["" : 17]>
g (bool c, float[2,40] x) => (float[2,n] y) {
    big = Constant<value = float[1] {1.0}>()
    z = MatMul(x, big)
    y = If(c) <
        then_branch = t () => (float[2,m] a) <float[1] w = {0.0}> { a = MatMul(z, w) },
        else_branch = e () => (float[2,k] a2) <float[1] w = {0.0}> { b = MatMul(z, w)  a2 = Neg(b) }
    >
}"""


def branches(folder: Path) -> Path:
    model = onnx.parser.parse_model(BRANCHES)
    constant_to(model, "big", BIG)
    for attribute, columns in zip(model.graph.node[2].attribute, (60, 70), strict=True):
        attribute.g.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((50, columns), np.float32), "w"))
    convert_model_to_external_data(model, location="w.bin", size_threshold=1000, convert_attribute=True)
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


def test_branches_with_tensors_of_one_name_keep_their_types(tmp_path: Path) -> None:
    model = load(branches(tmp_path))
    assert model.proto.graph.node[0].attribute[0].t.data_location == onnx.TensorProto.EXTERNAL
    scopes, complaint = typed_scopes(model)
    assert complaint == ""
    assert [scope.label for scope in scopes] == ["", "If_y/then_branch", "If_y/else_branch"]
    assert scopes[0].type_of("z").dims == (2, 50)
    assert scopes[1].type_of("a").dims == (2, 60)
    assert scopes[2].type_of("b").dims == (2, 70)


def test_nodes_keep_their_indexes(tmp_path: Path) -> None:
    model = load(branches(tmp_path))
    light = light_proto(model)
    assert [node.output for node in light.graph.node] == [node.output for node in model.proto.graph.node]
    assert light.graph.node[0].op_type == "Identity"


def in_a_function(folder: Path, dims: tuple[int, int]) -> Path:
    """x @ w in a function, w a Constant of it in w.bin."""
    text = """<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
    g (float[2,40] x) => (float[2,?] y) { y = d.F(x) }
    <domain: "d", opset_import: ["" : 17]> F (p) => (q) { w = Constant<value = float[1] {1.0}>()  q = MatMul(p, w) }"""
    model = onnx.parser.parse_model(text)
    tensor = model.functions[0].node[0].attribute[0].t
    tensor.CopyFrom(onnx.TensorProto(name="w", data_type=1, dims=dims, data_location=onnx.TensorProto.EXTERNAL))
    tensor.external_data.add(key="location", value="w.bin")
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


def test_constants_in_functions_get_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(BIG.tobytes())
    light = light_proto(load(in_a_function(tmp_path, (40, 50))))
    onnx.checker.check_model(light, full_check=True)
    np.testing.assert_array_equal(numpy_helper.to_array(light.functions[0].node[0].attribute[0].t), BIG)


def test_large_constants_in_functions_are_not_read(tmp_path: Path) -> None:
    """10 GB here."""
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(10**10)
    path = in_a_function(tmp_path, (40, 10**10 // 160))
    assert light_proto(load(path)).ByteSize() < 1000
    scopes, complaint = typed_scopes(load(path))
    assert complaint == ""
    assert scopes[0].type_of("y").dims == (2, 10**10 // 160)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("y = MatMul(w, x)", "Incompatible dimensions"),
        ("y = MatMul(x, absent)", "absent"),
    ],
)
def test_the_checker_complains_of_what_it_would_complain_of(tmp_path: Path, body: str, said: str) -> None:
    text = HEAD + f"g (float[2,40] x) => (float[2,50] y) <float[1] w = {{0.0}}> {{ {body} }}"
    _, complaint = typed_scopes(load(saved(tmp_path, text, w=BIG)))
    assert said in complaint
