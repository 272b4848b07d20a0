"""Parameters read off declared shapes."""

from __future__ import annotations

import onnx
import pytest

from onnxfix.model.declared import parameter
from onnxfix.model.model import Model
from onnxfix.model.scope import scopes_of


@pytest.mark.parametrize(
    ("text", "position", "numbers"),
    [
        ("g (int64[3] i, float d, float[2] v) => (float[3,7] y) { y = OneHot (i, d, v) }", 1, [7]),
        ("g (int64[3] i, float d, float[2] v) => (float[7,3] y) { y = OneHot <axis = 0> (i, d, v) }", 1, [7]),
        ("g (int64[3] i, float d, float[2] v) => (float[3,N] y) { y = OneHot (i, d, v) }", 1, None),
        ('g (float[1,4] x, int64[2] s) => (float[1,6] y) { y = Resize (x, "", "", s) }', 3, [1, 6]),
        ('g (float[1,4] x, int64[1] s) => (float[1,6] y) { y = Resize <axes = [1]> (x, "", "", s) }', 3, [6]),
        ('g (float[1,4] x, float[2] s) => (float[1,8] y) { y = Resize (x, "", s) }', 2, [1, 2]),
        ('g (float[1,4] x, float[2] s) => (float[1,3] y) { y = Resize (x, "", s) }', 2, [1, 0.8125]),
        ("g (float[3,4] x, int64[1] a) => (float[3,1] y) { y = ReduceSum (x, a) }", 1, [1]),
        ("g (float[3,4] x, int64[2] a) => (float[1,1] y) { y = ReduceSum (x, a) }", 1, [0, 1]),
        ("g (float[4,4] x, int64[1] a) => (float[4] y) { y = ReduceSum <keepdims = 0> (x, a) }", 1, [0]),
        ("g (float[N,4] x, int64[1] a) => (float[N,1,4] y) { y = Unsqueeze (x, a) }", 1, [1]),
        ("g (float[1,4] x, int64[2] a) => (float[1,1,1,4] y) { y = Unsqueeze (x, a) }", 1, [0, 1]),
        ("g (float[2,4] x, int64[1] a) => (float[4] y) { y = Squeeze (x, a) }", 1, None),
        ("g (float[N,4] x, int64[1] a) => (float[M,1,4] y) { y = Unsqueeze (x, a) }", 1, None),
        ("g (float[3,4] x, int64[1] a) => (float[3,4] y) { y = Add (x, a) }", 1, None),
        ("g (bool[2,2] m) => (int64[2,3] y) { y = NonZero (m) }", 0, [1, 1, 1, 0]),
        ("g (bool[2,2] m) => (int64[2,5] y) { y = NonZero (m) }", 0, None),
        ("g (float[2,4] x, bool[4] c) => (float[2,2] y) { y = Compress <axis = 1> (x, c) }", 1, [1, 0, 1, 0]),
    ],
)
def test_parameter(text: str, position: int, numbers: list[float] | None) -> None:
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]>\n{text}')
    scope = scopes_of(Model(proto))[0]
    assert parameter(scope, scope.nodes[0], position) == numbers
