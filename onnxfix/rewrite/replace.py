"""From a match to an Edit: the replacement's nodes with the model's names."""

from __future__ import annotations

import onnx

from onnxfix.model.edit import Edit
from onnxfix.model.messages import copied
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope
from onnxfix.rewrite.attributes import made_attribute
from onnxfix.rewrite.rule import Match, PatternNode, Rewrite


def replacement(scope: Scope, rewrite: Rewrite, found: Match, names: Names) -> Edit:
    """The Edit that puts the replacement where the match is.

    Results keep their value names, the last node keeps the root's name and all new nodes its documentation and
    metadata; every other name is new.
    """
    builder = _Builder(scope, rewrite, found, names)
    nodes = tuple(builder.node(pattern, last=pattern is rewrite.replacement[-1]) for pattern in rewrite.replacement)
    return Edit(
        scope=scope.id,
        remove=tuple(sorted(found.nodes.values())),
        insert=nodes,
        initializers=tuple(builder.initializers),
    )


class _Builder:
    def __init__(self, scope: Scope, rewrite: Rewrite, found: Match, names: Names) -> None:
        self.found, self.rewrite, self.names = found, rewrite, names
        self.root = scope.nodes[found.nodes[len(rewrite.pattern) - 1]]
        self.base = next((name for name in self.root.output if name), "value")
        self.values = dict(found.values)
        for interior in rewrite.made - set(rewrite.results):
            self.values.pop(interior, None)  # a replacement may use the name of a removed value for a new one
        self.initializers: list[onnx.TensorProto] = []

    def node(self, pattern: PatternNode, *, last: bool) -> onnx.NodeProto:
        node = onnx.NodeProto(op_type=pattern.op_type, domain=pattern.domain)
        node.input.extend(self._inputs(pattern))
        for name in pattern.outputs:
            many = name and name == self.rewrite.variadic_outputs
            node.output.extend(self.found.rest_outputs if many else [self._value(name)])
        for attribute in pattern.proto.attribute:
            self._attribute(node, attribute)
        if self.root.name:
            node.name = self.root.name if last else self.names.fresh(f"{self.root.name}_{pattern.op_type}")
        if self.root.doc_string:
            node.doc_string = self.root.doc_string
        node.metadata_props.extend(self.root.metadata_props)
        return node

    def _inputs(self, pattern: PatternNode) -> list[str]:
        inputs: list[str] = []
        for name in pattern.inputs:
            inputs += list(self.found.rest) if name and name == self.rewrite.variadic else [self._value(name)]
        while inputs and inputs[-1] == "":
            inputs.pop()
        return inputs

    def _value(self, name: str) -> str:
        if name == "" or name in self.values:
            return self.values.get(name, "")
        self.values[name] = self.names.fresh(f"{self.base}_{name}")
        computed = self.found.lets.get(name)
        if isinstance(computed, onnx.TensorProto):
            stored = copied(computed)
            stored.name = self.values[name]
            self.initializers.append(stored)
        return self.values[name]

    def _attribute(self, node: onnx.NodeProto, wanted: onnx.AttributeProto) -> None:
        if not wanted.ref_attr_name:
            node.attribute.append(wanted)
            return
        capture = wanted.ref_attr_name
        lets = self.found.lets
        bound = made_attribute(wanted, lets[capture]) if capture in lets else self.found.attributes.get(capture)
        if bound is None:
            return
        node.attribute.append(bound)
        node.attribute[-1].name = wanted.name
