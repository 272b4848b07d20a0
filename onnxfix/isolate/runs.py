"""What a search runs in the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxfix.errors import OnnxfixError
from onnxfix.verify.compare import compare
from onnxfix.verify.inputs import InputSpec
from onnxfix.verify.lists import flat
from onnxfix.verify.oracle import Oracle
from onnxfix.verify.runtime import CannotLoad, CannotRun
from onnxfix.verify.sizes import Sizes
from onnxfix.verify.values import seeded


def disagreement(path: str, outputs: Sequence[str], specs: Sequence[InputSpec], sizes: Sizes) -> str:
    """How ONNX Runtime and the reference evaluator differ on seeded inputs, "" when they agree.

    Raises OnnxfixError when one of them does not take the model.
    """
    feeds = seeded(specs, sizes, 0)
    try:
        first = flat(Oracle(Path(path), outputs, ("direct",)).run(feeds))
        second = flat(Oracle(Path(path), outputs, ("reference",)).run(feeds))
    except (CannotLoad, CannotRun) as error:
        raise OnnxfixError(str(error)) from None
    for name, array in first.items():
        if name in second and (why := compare(name, second[name], array).why):
            return f"output {name!r}: {why}"
    return ""
