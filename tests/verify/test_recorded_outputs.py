"""The models that the onnx package carries, with inputs and outputs recorded by the frameworks that exported them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx.backend import test as backend_test

from onnxfix.verify.compare import compare
from onnxfix.verify.oracle import Oracle

MODELS = sorted(Path(backend_test.__file__).parent.glob("data/pytorch-*/*/model.onnx"))


def tensor(path: Path) -> np.ndarray:
    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def test_every_oracle_gives_the_recorded_outputs() -> None:
    """All are opset 6 or older in form, so that ONNX Runtime, relabelling and numpy all have their share."""
    titles: Counter[str] = Counter()
    for path in MODELS:
        graph = onnx.load(path).graph
        stored = {initializer.name for initializer in graph.initializer}
        inputs = [value.name for value in graph.input if value.name not in stored]
        data = path.parent / "test_data_set_0"
        feeds = {name: tensor(data / f"input_{place}.pb") for place, name in enumerate(inputs)}
        oracle = Oracle(path, [value.name for value in graph.output])
        for place, (name, got) in enumerate(oracle.run(feeds).items()):
            figures = compare(name, tensor(data / f"output_{place}.pb"), np.asarray(got))
            assert not figures.why, f"{path.parent.name} in {oracle.title}: {figures.why}"
        titles[oracle.title.partition(" (")[0]] += 1
    assert titles["ONNX Runtime and numpy"] > 20
    assert titles["ONNX Runtime"] > 80
