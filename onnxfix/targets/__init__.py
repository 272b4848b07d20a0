"""The fact base: what each TensorRT release and each device accepts, and what its messages mean."""

from onnxfix.targets.advice import Advice, advice_ids, advice_named, advise
from onnxfix.targets.devices import devices
from onnxfix.targets.dtypes import UNNAMED, dtype_name, gpu_precision
from onnxfix.targets.limits import limits
from onnxfix.targets.limits import table_source as operator_source
from onnxfix.targets.local import local_target, target_of_version
from onnxfix.targets.logs import Log
from onnxfix.targets.messages import explain_message
from onnxfix.targets.names import resolve, target_names
from onnxfix.targets.operators import refuses_operator, supports, unknown_operator
from onnxfix.targets.reading import Reading, read_message
from onnxfix.targets.records import Explanation, Limit, Release, Support, Target, release
from onnxfix.targets.shapes import MOST_AXES, judged_by_shapes, size_inputs, size_operators

__all__ = [
    "Advice",
    "Explanation",
    "Limit",
    "Log",
    "MOST_AXES",
    "Reading",
    "Release",
    "Support",
    "Target",
    "UNNAMED",
    "advice_ids",
    "advice_named",
    "advise",
    "devices",
    "dtype_name",
    "explain_message",
    "gpu_precision",
    "judged_by_shapes",
    "limits",
    "local_target",
    "operator_source",
    "read_message",
    "refuses_operator",
    "release",
    "resolve",
    "size_inputs",
    "size_operators",
    "supports",
    "target_names",
    "target_of_version",
    "unknown_operator",
]
