"""Files become models without their weights being read, or one line says why not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper, numpy_helper

from onnxfix.errors import ModelFileError
from onnxfix.model import SELF, Model, load, place_of, weight_files
from onnxfix.model.scope import scopes_of

RELU = '<ir_version: 8, opset_import: ["" : 17]> g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }'


def with_tensors(*tensors: TensorProto) -> onnx.ModelProto:
    model = onnx.parser.parse_model(RELU)
    model.graph.initializer.extend(tensors)
    return model


def external(name: str = "w", **entries: str) -> TensorProto:
    """float[4] in w.bin, unless `entries` say otherwise."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "w.bin", "length": "16", **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def saved(folder: Path, *tensors: TensorProto, weights: bytes | None = bytes(range(16))) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(with_tensors(*tensors).SerializeToString())
    if weights is not None:
        (folder / "w.bin").write_bytes(weights)
    return path


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.float16, np.int64, np.int8, np.uint16, np.bool_, np.complex64]),
        st.one_of(hnp.array_shapes(min_dims=0, max_dims=3, max_side=40), st.sampled_from([(0,), (3, 0, 2), (1030,)])),
        elements={"allow_nan": False},
    ),
    st.booleans(),
)
def test_arrays_are_what_numpy_helper_reads(array: np.ndarray, typed: bool) -> None:
    if typed and array.dtype != np.float16:
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor = helper.make_tensor("w", kind, array.shape, array.flatten().tolist())
    else:
        tensor = numpy_helper.from_array(array, "w")
    model = load(with_tensors(tensor))
    read = model.array(model.proto.graph.initializer[0])
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(read, numpy_helper.to_array(tensor))


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4, TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN])
def test_unusual_types_on_disk(kind: int) -> None:
    count = 20_001
    size = (count + 1) // 2 if kind in (TensorProto.INT4, TensorProto.UINT4) else count * (1 + (kind == 16))
    raw = bytes(number % 100 for number in range(size))
    tensor = TensorProto(name="w", data_type=kind, dims=[count], raw_data=raw)
    model = load(with_tensors(tensor))
    heavy = model.proto.graph.initializer[0]
    assert place_of(heavy)[0] == SELF
    read, expected = model.array(heavy), numpy_helper.to_array(tensor)
    assert read.dtype == expected.dtype
    assert read.tobytes() == expected.tobytes()


def test_weight_files_are_read_at_their_places(tmp_path: Path) -> None:
    path = saved(tmp_path, external("a"), external("b", offset="16", length="16"), external("c", offset="32"))
    (tmp_path / "w.bin").write_bytes(np.arange(12, dtype=np.float32).tobytes())
    tensors = load(path).proto.graph.initializer
    assert [load(path).array(t).tolist() for t in tensors] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert weight_files(load(path)) == ["w.bin"]


def test_an_empty_weight_file_holds_an_empty_tensor(tmp_path: Path) -> None:
    tensor = external(length="0")
    tensor.dims[:] = [0]
    model = load(saved(tmp_path, tensor, weights=b""))
    assert model.array(model.proto.graph.initializer[0]).shape == (0,)


def test_arrays_on_disk_are_read_only() -> None:
    model = load(with_tensors(numpy_helper.from_array(np.zeros(5000, np.float32), "w")))
    with pytest.raises(ValueError, match="read-only"):
        model.array(model.proto.graph.initializer[0])[0] = 1


def test_the_callers_model_is_not_changed() -> None:
    proto = with_tensors(numpy_helper.from_array(np.zeros(5000, np.float32), "w"))
    before = proto.SerializeToString()
    model = load(proto)
    del model.proto.graph.node[:]
    assert proto.SerializeToString() == before


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"location": ""}, "outside the model's folder"),
        ({"location": "../w.bin"}, "outside the model's folder"),
        ({"location": "../../../../../../etc/passwd"}, "outside the model's folder"),
        ({"location": "a/../../w.bin"}, "outside the model's folder"),
        ({"location": "/etc/passwd"}, "outside the model's folder"),
        ({"location": "absent.bin"}, "is missing (put it beside the model)"),
        ({"location": "n" * 5000}, "is missing"),
        ({"location": "."}, "is missing"),
        ({"location": SELF}, "keeps for itself"),
        ({"offset": "x"}, "not a number"),
        ({"length": "9" * 5000}, "not a number"),
        ({"offset": "-1"}, "which has 16 bytes"),
        ({"length": "-1"}, "which has 16 bytes"),
        ({"offset": "1"}, "ends at byte 17 of w.bin, which has 16 bytes"),
        ({"offset": "17", "length": "0"}, "which has 16 bytes"),
        ({"offset": str(2**70)}, "which has 16 bytes"),
    ],
)
def test_external_data_that_is_refused(tmp_path: Path, entries: dict[str, str], said: str) -> None:
    path = saved(tmp_path, external(**entries))
    with pytest.raises(ModelFileError) as error:
        load(path)
    assert said in str(error.value)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("place", ["subgraph", "function", "sparse", "constant"])
def test_external_data_is_looked_for_everywhere(tmp_path: Path, place: str) -> None:
    model = onnx.parser.parse_model(RELU)
    constant = helper.make_node("Constant", [], ["c"], value=external(location="../w.bin"))
    if place == "subgraph":
        body = helper.make_graph([], "b", [], [], [external(location="../w.bin")])
        model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=body, else_branch=body))
    elif place == "function":
        model.functions.append(helper.make_function("d", "F", [], ["c"], [constant], []))
    elif place == "sparse":
        model.graph.sparse_initializer.add(values=external(location="../w.bin"), dims=[4])
    else:
        model.graph.node.append(constant)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="outside the model's folder"):
        load(tmp_path / "m.onnx")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(16))
    path = saved(tmp_path / "inside", external(), weights=None)
    (tmp_path / "inside" / "w.bin").symlink_to("../w.bin")
    with pytest.raises(ModelFileError, match="link out of the model's folder"):
        load(path)
    (tmp_path / "inside" / "w.bin").unlink()
    (tmp_path / "inside" / "real.bin").write_bytes(bytes(16))
    (tmp_path / "inside" / "w.bin").symlink_to("real.bin")
    assert load(path).array(external()).tolist() == [0.0] * 4


def test_a_message_with_weight_files_has_no_folder_to_find_them_in() -> None:
    with pytest.raises(ModelFileError, match="give onnxfix the path"):
        load(with_tensors(external()))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], raw_data=bytes(8)), "no readable values"),
        (
            TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-2, 5000], raw_data=bytes(40_000)),
            "shape [-2, 5000]",
        ),
        (TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[5000], raw_data=bytes(40_000)), "no readable values"),
        (TensorProto(name="w", data_type=999, dims=[5000], raw_data=bytes(20_000)), "data type 999"),
        (TensorProto(name="w", data_type=999, dims=[1], raw_data=bytes(1)), "no readable values"),
        (TensorProto(name="w", data_type=TensorProto.STRING, dims=[9000], raw_data=bytes(9000)), "data type 8"),
        (
            TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**40] * 2, raw_data=bytes(8192)),
            "no readable values",
        ),
    ],
)
def test_tensors_whose_values_do_not_fit(tensor: TensorProto, said: str) -> None:
    model: Model = load(with_tensors(tensor))
    with pytest.raises(ModelFileError) as error:
        model.array(model.proto.graph.initializer[0])
    assert said in str(error.value)
    assert "'w'" in str(error.value)


def test_the_long_name_of_the_default_domain() -> None:
    proto = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["ai.onnx" : 13]>
    g (float[2] x) => (float[2] y) { y = Relu(x) }""")
    assert scopes_of(load(proto))[0].opset == 13
    assert proto.opset_import[0].domain == "ai.onnx", "the caller's model is left alone"
