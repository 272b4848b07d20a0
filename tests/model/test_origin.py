"""Where a node comes from, as exporters write it down."""

from __future__ import annotations

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfix.model.origin import SCOPES, TRACE, origin_of

DYNAMO = """File "/home/me/nets/net.py", line 12, in forward
    return self.conv1(x)
  File "/usr/lib/python3.12/site-packages/torch/nn/modules/conv.py", line 554, in forward
    return self._conv_forward(input)
"""
SCRIPT = "/usr/lib/python3/dist-packages/torch/nn/functional.py(1457): relu\n/home/me/nets/net.py(17): forward\n"


def node(doc: str = "", **metadata: str) -> onnx.NodeProto:
    made = onnx.helper.make_node("Relu", ["x"], ["y"], doc_string=doc)
    for key, value in metadata.items():
        made.metadata_props.add(key=TRACE if key == "trace" else SCOPES, value=value)
    return made


@pytest.mark.parametrize(
    ("made", "origin"),
    [
        (node(), ""),
        (node(trace=DYNAMO), "/home/me/nets/net.py:12 in forward"),
        (node(SCRIPT), "/home/me/nets/net.py:17 in forward"),
        (node(trace=DYNAMO, scopes="['', 'encoder', 'encoder.conv1', 'conv2d']"),
         "/home/me/nets/net.py:12 in forward (encoder.conv1)"),
        (node(scopes="['', 'encoder', 'relu']"), "module encoder"),
        (node("a comment on the node"), ""),
        (node(scopes="no list"), ""),
    ],
)  # fmt: skip
def test_origin(made: onnx.NodeProto, origin: str) -> None:
    assert origin_of(made) == origin


@given(text=st.text(max_size=200))
def test_any_text_is_harmless(text: str) -> None:
    origin_of(node(text, trace=text, scopes=text))
