"""Linear models, support vectors and feature preparation of ai.onnx.ml against ONNX Runtime's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model.model import Array
from tests.decompose.microsoft import fed, normal, one_node
from tests.decompose.proving import builds, prove, reason

ML: dict[str, Any] = {"domain": "ai.onnx.ml", "version": 3}
TRANSFORMS = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]
NAN = float("nan")


def floats(model: onnx.ModelProto, name: str = "y") -> onnx.ModelProto:
    """The model with an output of float, whatever its input is."""
    for value in model.graph.output:
        if value.name == name:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return model


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.sampled_from(TRANSFORMS), st.booleans())
def test_linear_regressor(features: int, targets: int, transform: str, bias: bool) -> None:
    numbers: dict[str, Any] = {
        "coefficients": normal(targets * features).tolist(),
        "targets": targets,
        "post_transform": transform,
    }
    if bias:
        numbers["intercepts"] = normal(targets).tolist()
    model = one_node("LinearRegressor", {"x": normal(5, features)}, {"y": [5, targets]}, **ML, **numbers)
    if targets == 1 and transform != "NONE":
        assert "of one target" in reason(model, "OFX831")
    else:
        prove(model, "OFX831", {"x": normal(5, features)})


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from(TRANSFORMS), st.sampled_from(["float32", "int64"]))
def test_linear_classifier(features: int, scores: int, transform: str, dtype: str) -> None:
    classes = max(scores, 2)
    numbers: dict[str, Any] = {
        "coefficients": normal(scores * features).tolist(),
        "intercepts": normal(scores, 2)[:, 0].tolist(),
        "classlabels_ints": [7 * n - 3 for n in range(classes)],
        "post_transform": transform,
    }
    x: Array = (normal(20, features) * 2).astype(dtype)
    model = floats(one_node("LinearClassifier", {"x": x}, {"il": [20], "y": [20, classes]}, **ML, **numbers))
    if scores == 1 and transform not in ("NONE", "LOGISTIC"):
        assert "to one score" in reason(model, "OFX831")
    else:
        prove(model, "OFX831", {"x": x})


KERNELS = st.sampled_from(["LINEAR", "POLY", "RBF", "SIGMOID"])


@settings(max_examples=15, deadline=None)
@given(KERNELS, st.integers(1, 4), st.integers(1, 4), st.integers(0, 1))
def test_svm_regressor(kernel: str, features: int, vectors: int, one_class: int) -> None:
    numbers: dict[str, Any] = {
        "kernel_type": kernel,
        "kernel_params": [0.5, 0.25, 3.0],
        "support_vectors": normal(vectors * features).tolist(),
        "n_supports": vectors,
        "coefficients": normal(vectors, 1)[:, 0].tolist(),
        "rho": [0.125],
        "one_class": one_class,
    }
    x = normal(6, features)
    prove(one_node("SVMRegressor", {"x": x}, {"y": [6, 1]}, **ML, **numbers), "OFX832", {"x": x})


@settings(max_examples=15, deadline=None)
@given(KERNELS, st.lists(st.integers(1, 3), min_size=2, max_size=4))
def test_svm_classifier(kernel: str, sizes: list[int]) -> None:
    count, classes = sum(sizes), len(sizes)
    pairs = classes * (classes - 1) // 2
    numbers: dict[str, Any] = {
        "kernel_type": kernel,
        "kernel_params": [0.5, 0.25, 3.0],
        "support_vectors": normal(count * 3).tolist(),
        "vectors_per_class": sizes,
        "coefficients": normal(count * (classes - 1)).tolist(),
        "rho": normal(pairs).tolist(),
        "classlabels_ints": [3 * n + 1 for n in range(classes)],
    }
    outputs: dict[str, list[int | str]] = {"il": [20], "y": [20, pairs if classes > 2 else 2]}
    x = normal(20, 3) * 2
    prove(one_node("SVMClassifier", {"x": x}, outputs, **ML, **numbers), "OFX832", {"x": x})


ROWS = np.array([[0, 0, 0], [-1, -2, -0.5], [1, -1, 0], [1e30, 1, 2], [3, 4, 0]], dtype=np.float32)


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
@pytest.mark.parametrize("dtype", ["float32", "int64", "float64"])
def test_normalizer(norm: str, dtype: str) -> None:
    x = np.delete(ROWS, 3, axis=0).astype(dtype)
    prove(floats(one_node("Normalizer", {"x": x}, {"y": [4, 3]}, **ML, norm=norm)), "OFX833", {"x": x})


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "int64", "int32", "float64"])
def test_scaler(size: int, dtype: str) -> None:
    numbers: dict[str, Any] = {"offset": [0.5, 1.5, -2.0][:size], "scale": [2.0, 0.25, 3.0][:size]}
    x = ROWS.astype(dtype) if dtype.startswith("float") else np.delete(ROWS, 3, axis=0).astype(dtype)
    prove(floats(one_node("Scaler", {"x": x}, {"y": list(x.shape)}, **ML, **numbers)), "OFX833", {"x": x})


@pytest.mark.parametrize("old", [NAN, 0.0, 2.0])
@pytest.mark.parametrize("new", [[9.0], [7.0, 8.0, 9.0]])
def test_imputer(old: float, new: list[float]) -> None:
    x = np.where(ROWS == 1, np.float32(NAN), ROWS)
    numbers: dict[str, Any] = {"imputed_value_floats": new, "replaced_value_float": old}
    prove(one_node("Imputer", {"x": x}, {"y": [5, 3]}, **ML, **numbers), "OFX833", {"x": x})
    whole = np.array([[2, 3, 2]])
    integers: dict[str, Any] = {"imputed_value_int64s": [2**40], "replaced_value_int64": 2}
    prove(one_node("Imputer", {"x": whole}, {"y": [1, 3]}, **ML, **integers), "OFX833", {"x": whole})


def test_binarizer_and_one_hot_encoder() -> None:
    prove(one_node("Binarizer", {"x": ROWS}, {"y": [5, 3]}, **ML, threshold=0.5), "OFX833", {"x": ROWS})
    for x in (np.array([[0, 2], [-1, 9]]), np.array([[0.0, 2.9], [-1.0, -0.5]], dtype=np.float32)):
        model = one_node("OneHotEncoder", {"x": x}, {"y": [2, 2, 3]}, **ML, cats_int64s=[0, 2, -1], zeros=1)
        prove(floats(model), "OFX833", {"x": x})


@pytest.mark.parametrize("version", [2, 3, 4])
def test_label_encoder(version: int) -> None:
    whole, real = np.array([[1, 2], [3, 9]]), np.array([1.0, NAN, 2.5, -0.0, np.inf], dtype=np.float32)
    ml: dict[str, Any] = {"domain": "ai.onnx.ml", "version": version}
    to_real: dict[str, Any] = {"keys_int64s": [1, 2, 2**40], "values_floats": [0.5, 0.25, 1.5], "default_float": -1.0}
    prove(floats(one_node("LabelEncoder", {"x": whole}, {"y": [2, 2]}, **ml, **to_real)), "OFX833", {"x": whole})
    to_whole: dict[str, Any] = {"keys_floats": [1.0, NAN, 0.0], "values_int64s": [10, 20, 30], "default_int64": -7}
    prove(one_node("LabelEncoder", {"x": real}, {"iy": [5]}, **ml, **to_whole), "OFX833", {"x": real})
    twice: dict[str, Any] = {"keys_int64s": [1, 1], "values_int64s": [2, 3]}
    assert "twice" in reason(one_node("LabelEncoder", {"x": whole}, {"y": [2, 2]}, **ml, **twice), "OFX833")


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_selected_and_joined_features(shape: tuple[int, ...]) -> None:
    inputs = {"x": normal(*shape), "i": np.array([[3, 0]])}
    prove(
        one_node("ArrayFeatureExtractor", inputs, {"y": ["A", "B", "C"][: max(len(shape), 2)]}, **ML), "OFX833", inputs
    )
    pair = {"x": normal(2, 3), "z": normal(2, 2)}
    prove(one_node("FeatureVectorizer", pair, {"y": [2, 5]}, **ML, inputdimensions=[3, 2]), "OFX833", pair)


PIPELINE = """<ir_version: 8, opset_import: ["ai.onnx.ml" : 3]>
g (float[N,2] x) => (int64[N] l, float[N,3] p)
{ a = ai.onnx.ml.Imputer <imputed_value_floats = [0.5, 1.0], replaced_value_float = 0.0> (x)
  b = ai.onnx.ml.Scaler <offset = [0.5, 1.0], scale = [2.0, 4.0]> (a)
  c = ai.onnx.ml.Normalizer <norm = "L2"> (b)
  l, p = ai.onnx.ml.LinearClassifier <coefficients = [0.5,-1.0,0.25,1.0,2.0,-0.5], intercepts = [0.25,0.0,-0.25],
    classlabels_ints = [3,5,7], post_transform = "SOFTMAX"> (c) }"""


def test_pipeline_in_tensorrt() -> None:
    assert not builds(PIPELINE)
    model = prove(prove(PIPELINE, "OFX833"), "OFX831")
    assert builds(model)
    assert {entry.domain for entry in model.opset_import} == {"", "ai.onnx.ml"}


@pytest.mark.parametrize("op_type", ["Adagrad", "Adam", "Momentum"])
@pytest.mark.parametrize("updates", [0, 3])
def test_training_step(op_type: str, updates: int) -> None:
    states = 2 if op_type == "Adam" else 1
    names = [f"{name}{n}" for name in ("x", "g", "v", "h")[: 2 + states] for n in range(2)]
    inputs = {"r": np.array(0.1, dtype=np.float32), "t": np.array(updates)}
    inputs |= {name: np.abs(normal(2, n + 1)[0]) for n, name in enumerate(names)}
    inputs |= {name: np.abs(normal(1 + int(name[1]))) for name in names}
    numbers: dict[str, Any] = {"norm_coefficient": 0.25}
    numbers |= {"alpha": 0.9, "beta": 0.5, "mode": "nesterov"} if op_type == "Momentum" else {"epsilon": 1e-3}
    outputs: dict[str, list[int | str]] = {f"o{name}": [1 + int(name[1])] for name in names if name[0] != "g"}
    domain: dict[str, Any] = {"domain": "ai.onnx.preview.training", "version": 1}
    prove(one_node(op_type, inputs, outputs, **domain, **numbers), "OFX849", fed(inputs))
