"""Integer types that an engine does not know become int32 or int64 where that changes no number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.dtype_edits import component_edits
from onnxfix.actions.dtype_intervals import INT64, OF_TYPE, inside
from onnxfix.actions.dtype_narrowing import Component, components, constants_of, nodes_of, values_of
from onnxfix.actions.dtype_ranges import MOVING, Ranges, ranges_of
from onnxfix.model.attributes import attribute_of
from onnxfix.model.edit import Proposal
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.model.types import dtype_name

_T = onnx.TensorProto
_QUANTIZATION = ("Quantize", "Dequantize", "DynamicQuantize", "QLinear", "MatMulInteger", "ConvInteger")


def widen_integers(context: Context, constants: Sequence[str], values: Sequence[str]) -> Iterator[Proposal]:
    """One Proposal per group of values that can become int32 together (uint32 and uint64: int64).

    `constants` are the types that no constant may have, `values` those that no node may make.
    """
    types = {name: int(_T.DataType.Value(name.upper())) for name in (*constants, *values)}
    for scope in context.scopes:
        present = {name: number for name, number in types.items() if number in scope.dtypes}
        if not present:
            continue
        ranges = ranges_of(scope)
        for name, number in present.items():
            policy = WideningPolicy(scope, ranges, number)
            for component in components(scope, policy):
                bad = constants_of(component) if name in constants else []
                bad += values_of(component) if name in values else []
                if bad:
                    yield _proposal(context, scope, policy, component, bad[0])


def _proposal(context: Context, scope: Scope, policy: WideningPolicy, component: Component, value: str) -> Proposal:
    return Proposal(
        f"{value} is {dtype_name(policy.source)}: {dtype_name(policy.target)} holds the same numbers",
        scope,
        nodes_of(component)[0],
        value=value,
        edits=component_edits(scope, context.names, policy, component),
    )


class WideningPolicy:
    """To a wider integer type: for constants, and for nodes that only move values."""

    def __init__(self, scope: Scope, ranges: Ranges, source: int) -> None:
        self.scope, self.ranges, self.source = scope, ranges, source
        self.target = int(_T.INT64 if source in (_T.UINT32, _T.UINT64) else _T.INT32)

    def reads(self, node: onnx.NodeProto) -> bool:
        """Not where the type means that the numbers are quantized."""
        return not node.op_type.startswith(_QUANTIZATION)

    def makes(self, index: int) -> bool:
        """Whether the node makes the same numbers: arithmetic may wrap around, and so may a Cast."""
        node = self.scope.nodes[index]
        if node.op_type == "Cast":
            return inside(self.ranges.of(node.input[0]), OF_TYPE[self.source])
        moves = node.op_type in MOVING and attribute_of(node, "reduction", b"none") == b"none"
        return moves or node.op_type == "ConstantOfShape"

    def fits(self, node: onnx.NodeProto, position: int, name: str) -> bool:
        """All but a uint64 beyond int64."""
        del node, position
        return inside(self.ranges.of(name), INT64)

    def converted(self, array: Array) -> Array:
        """The same numbers."""
        return array.astype(onnx.helper.tensor_dtype_to_np_dtype(self.target))
