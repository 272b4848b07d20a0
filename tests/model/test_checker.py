"""What the ONNX checker says of a model, also when it crashes or hangs."""

from __future__ import annotations

import onnx
import pytest

from onnxfix import sandbox
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
RELU = "g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }"


def complaint(text: str) -> str:
    return typed_scopes(load(onnx.parser.parse_model(HEAD + text)))[1]


def test_valid_and_invalid() -> None:
    assert complaint(RELU) == ""
    assert "Inferred shape and existing shape differ" in complaint("g (float[3] x) => (float[4] y) { y = Relu(x) }")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (sandbox.SandboxCrash("f", "SIGSEGV"), "it crashes the checker (SIGSEGV)"),
        (sandbox.SandboxTimeout("f", 60), "the checker took longer than 60 s"),
    ],
)
def test_a_checker_that_crashes_or_hangs(failure: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def call(self, *_: object, **__: object) -> None:
            raise failure

    model = load(onnx.parser.parse_model(HEAD + RELU))
    monkeypatch.setattr(sandbox, "checker", Broken)
    scopes, said = typed_scopes(model)
    assert said == words
    assert scopes[0].type_of("x").dims == ("N", 3)
