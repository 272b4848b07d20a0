"""Operators of other domains than the standard's: told apart from their namesakes, and told with what helps."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnxfix.actions.context import Context
from onnxfix.model.edit import Proposal
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD

_EQUALS = ("DequantizeLinear", "Gelu", "GatherND", "GridSample", "QuantizeLinear", "Trilu")
_SAME_MEANING = {("com.microsoft", name) for name in _EQUALS}
"""Foreign operators whose inputs, attributes and meaning are those of the standard's operator of the name."""

_OWN_DOMAINS = ("ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training")
"""Domains of the ONNX standard itself, none of whose operators has the name of one of the default domain."""

_SEARCH = "it calls the model again and again to search; run the search outside, with an engine for the model inside"
_PACKED = "its batch is packed without padding; save the model with padded batches"
_HELP = {
    ("com.microsoft", "BeamSearch"): _SEARCH,
    ("com.microsoft", "WhisperBeamSearch"): _SEARCH,
    ("com.microsoft", "GreedySearch"): _SEARCH,
    ("com.microsoft", "Sampling"): _SEARCH,
    ("com.microsoft", "GroupQueryAttention"): "where its cache is filled depends on the data; export plain attention",
    ("com.microsoft", "PackedAttention"): _PACKED,
    ("com.microsoft", "PackedMultiHeadAttention"): _PACKED,
    ("com.microsoft", "RemovePadding"): _PACKED,
    ("com.microsoft", "RestorePadding"): _PACKED,
    ("com.microsoft", "Unique"): "how long its outputs are depends on the data; cut the model before it",
    ("com.microsoft", "Inverse"): "no standard operator inverts matrices, and only small ones are written out",
    ("com.microsoft", "Tokenizer"): "it reads texts; feed the token ids instead",
    ("ai.onnx.ml", "DictVectorizer"): "its input is a map; feed the values as a tensor",
    ("ai.onnx.preview.training", "Gradient"): "it asks for a derivative; export the model for inference",
}
_DOMAINS = {
    "com.microsoft": "an operator of ONNX Runtime; save the model anew with graph optimization `basic` or none",
    "org.pytorch.aten": "an operator that the PyTorch exporter found no ONNX form for; export with a newer opset, or "
    "write that part of the model in operators that have one",
    "mmdeploy": "an operator of mmdeploy; its plugin library for TensorRT has it, and grid_sampler is rewritten at "
    "opset 16 and newer",
    "mmcv": "an operator of mmcv; its plugin library for TensorRT has it, and grid_sampler is rewritten at opset 16 "
    "and newer",
}


def foreign_namesakes(context: Context) -> Iterator[Proposal]:
    """A Proposal without an edit for each node of a foreign domain that has the name of a standard operator."""
    for scope, index, domain in _foreign(context):
        node = scope.nodes[index]
        if domain in _OWN_DOMAINS or (domain, node.op_type) in _SAME_MEANING or not onnx.defs.has(node.op_type):
            continue
        message = f"TensorRT takes {node.op_type} of {domain} for the standard's {node.op_type}, whatever it means"
        yield Proposal(message, scope, index)


def explain_foreign(context: Context) -> Iterator[Proposal]:
    """A Proposal without an edit for each refused node of a domain about which something helpful is known."""
    for scope, index, domain in _foreign(context):
        node = scope.nodes[index]
        if not context.wants(scope, index):
            continue
        if domain == "org.pytorch.aten":
            name = next((a.s.decode("utf-8", "replace") for a in node.attribute if a.name == "operator"), "")
            yield Proposal(f"ATen {name} is refused: {_DOMAINS[domain]}".replace("  ", " "), scope, index)
            continue
        help_ = _HELP.get((domain, node.op_type)) or _DOMAINS.get(domain)
        if help_:
            yield Proposal(f"{node.op_type} of {domain} is refused: {help_}", scope, index)


def _foreign(context: Context) -> Iterator[tuple[Scope, int, str]]:
    """The nodes that are neither the standard's nor calls of a function of the model."""
    functions = {(function.domain, function.name) for function in context.model.proto.functions}
    for scope in context.scopes:
        for index, node in enumerate(scope.nodes):
            if node.domain not in STANDARD and (node.domain, node.op_type) not in functions:
                yield scope, index, node.domain
