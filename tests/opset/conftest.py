"""Models of several opsets, converted and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.model.names import Names
from onnxfix.opset.convert import Conversion, plan_conversion
from onnxfix.verify.runtime import Session

Array = NDArray[Any]
Convert = Callable[[onnx.ModelProto | str, int], onnx.ModelProto]
Run = Callable[..., list[Array]]


def planned(model: onnx.ModelProto | str, to: int) -> Conversion:
    """The conversion of a model or of ONNX text, whether it succeeds or not."""
    proto = onnx.parser.parse_model(model) if isinstance(model, str) else model
    model = load(proto)
    scopes, _ = typed_scopes(model)
    return plan_conversion(model, scopes, Names(scopes), load_rules(), to)


@pytest.fixture(scope="session")
def plan() -> Callable[[onnx.ModelProto | str, int], Conversion]:
    return planned


@pytest.fixture(scope="session")
def convert() -> Convert:
    """Convert, and require success and a valid result of the wanted version."""

    def converted(model: onnx.ModelProto | str, to: int) -> onnx.ModelProto:
        result = planned(model, to)
        assert not result.blockers, [blocker.reason for blocker in result.blockers]
        proto = result.model.proto
        onnx.checker.check_model(proto, full_check=True)
        assert [entry.version for entry in proto.opset_import if not entry.domain] == [to]
        return proto

    return converted


@pytest.fixture(scope="session")
def run() -> Run:
    """The outputs of a model in ONNX Runtime, for inputs by name."""

    def outputs(model: onnx.ModelProto | str, **feeds: Array) -> list[Array]:
        proto = onnx.parser.parse_model(model) if isinstance(model, str) else model
        return list(Session(proto.SerializeToString()).run(feeds).values())

    return outputs


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)
