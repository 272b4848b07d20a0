"""What an opset cannot express, by a criterion that asks no converter: types and operators without equal there.

A type is there when some operator's schema names it at that opset.  The operators of `WITHOUT_EQUAL` cannot be written
in those of an older opset: they read files or texts, make as many elements as the data says, or compute a function
that no combination of older operators gives to the last digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import onnx

from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.model.types import STANDARD, dtype_name

WITHOUT_EQUAL = {
    "BitCast": 26,
    "Compress": 9,
    "Erf": 9,
    "ImageDecoder": 20,
    "NonZero": 9,
    "RegexFullMatch": 20,
    "StringConcat": 20,
    "StringNormalizer": 10,
    "StringSplit": 20,
    "TfIdfVectorizer": 9,
    "Unique": 11,
}
"""The operator, and the first opset that has it."""

TEXTS = ("Cast", "CastLike", "Equal")
"""Operators that took texts at some opset, and can do nothing with them before."""


def obstacle(model: onnx.ModelProto, target: int) -> str:
    """The class of the first thing in a model that an opset cannot express; "" when there is none."""
    scopes, _ = typed_scopes(load(model))
    names = types_at(target)
    for scope in scopes:
        for node in (node for node in scope.nodes if node.domain in STANDARD):
            if target < WITHOUT_EQUAL.get(node.op_type, 0):
                return node.op_type
            kinds = [scope.type_of(name) for name in (*node.input, *node.output) if name]
            texts = any(kind.dtype == onnx.TensorProto.STRING for kind in kinds)
            if texts and node.op_type in TEXTS and not _takes_texts(node.op_type, target):
                return f"{node.op_type} of texts"
            for name in (name for kind in kinds for name in _names(kind.dtype, kind.kind)):
                if name not in names:
                    return name
    return ""


def _names(dtype: int, kind: str) -> Iterator[str]:
    if kind in ("sequence", "optional"):
        yield kind
    elif dtype:
        yield dtype_name(dtype)


@cache
def types_at(version: int) -> frozenset[str]:
    """The element types, and "sequence" and "optional", that some operator of an opset takes or gives."""
    found: set[str] = set()
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain or schema.since_version > version or schema.deprecated:
            continue
        texts = {text for constraint in schema.type_constraints for text in constraint.allowed_type_strs}
        found |= {text.removeprefix("tensor(").removesuffix(")") for text in texts if text.startswith("tensor(")}
        found |= {"sequence"} if any(text.startswith("seq(") for text in texts) else set()
        found |= {"optional"} if any(text.startswith("optional(") for text in texts) else set()
    return frozenset(found)


def _takes_texts(op_type: str, version: int) -> bool:
    try:
        schema = onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return False
    return any("tensor(string)" in constraint.allowed_type_strs for constraint in schema.type_constraints)
