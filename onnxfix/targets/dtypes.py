"""Element types: their names in the fact base, and what a release or a GPU does with them."""

from __future__ import annotations

from functools import cache

from onnxfix.targets.records import Support, Target, release
from onnxfix.targets.tables import cite, in_force, table

# Names of onnx.parser text and of onnx.TensorProto.DataType (lower case) that differ from those of the fact base.
_NAMES = {
    "float": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
    "double": "fp64",
    "float8e4m3fn": "fp8",
    "float4e2m1": "fp4",
}
# Types that exist only on some GPUs; a build for another one is refused (parser_errors.yaml, hw-dtype).
_HARDWARE = ("bf16", "fp8", "fp4", "int4")
UNNAMED = frozenset(
    [
        *("string", "complex64", "complex128", "int16", "uint16", "uint32", "uint64", "int2", "uint2", "uint4"),
        *("float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "float8e8m0"),
    ]
)
"""Types that no parser has a name for (`convertDtype` of the parser 5.1 to 10.1; TensorRT-RTX 1.7.1 measured)."""

QUANTISED = ("int8", "int4", "fp8", "fp4")


@cache
def dtype_name(dtype: str | int) -> str:
    """The fact base's name of an element type, given that name, ONNX's (`float16`, `FLOAT16`) or ONNX's number."""
    if isinstance(dtype, int):
        from onnx import TensorProto

        dtype = TensorProto.DataType.Name(dtype)
    return _NAMES.get(dtype.lower(), dtype.lower())


def release_dtype(target: Target, dtype: str) -> Support:
    """Whether the release has an element type at all; "unknown" when no source says."""
    facts = release(target)
    stated: dict[str, tuple[str, str | bool | None, tuple[str | bool, ...]]] = {
        "fp64": ("double", facts.double, ("refused",)),
        "uint8": ("uint8", facts.uint8, ("none",)),
        "bool": ("boolean", facts.boolean, (False,)),
        "bf16": ("bf16", facts.bf16, (False,)),
        "fp8": ("fp8", facts.fp8, ("no", "enum_only")),
        "int4": ("int4", facts.int4, (False,)),
        "fp4": ("fp4", facts.fp4, (False,)),
    }
    field, value, missing = stated.get(dtype, ("", None, ()))
    if value is None:
        return Support("unknown")
    if value in missing:
        return Support("no", f"{target.title} has no {dtype}", facts.sources[field])
    return Support("yes", source=facts.sources[field])


def device_dtype(target: Target, dtype: str) -> Support:
    """Whether the target's GPU has a type that not every GPU has; "unknown" without a device or a source."""
    return gpu_precision(target, dtype) if dtype in _HARDWARE else Support("unknown")


def gpu_precision(target: Target, precision: str) -> Support:
    """Whether the target's GPU computes in a precision (fp16, int8, bf16, fp8, int4, fp4) by itself.

    "unknown" without a device or a source. What TensorRT does with a model in a precision that the GPU lacks is
    another question: see `device_dtype`.
    """
    if target.compute_capability is None:
        return Support("unknown")
    tables = table("devices")
    own = {**tables["boards"], **tables["dgpus"]}.get(target.device or "", {})
    entries = (own, tables["sm"][target.compute_capability])
    entry = next((entry for entry in entries if precision in entry.get("precisions", {})), None)
    if entry is None:
        return Support("unknown")
    source = "; ".join(cite(key, tables["sources"]) for key in entry.get("precisions_src", entry["src"]))
    if entry["precisions"][precision]:
        return Support("yes", source=source)
    return Support("no", f"sm{target.compute_capability} has no {precision}", source, stage="build")


def read_as(target: Target, dtype: str) -> str:
    """The element type a release computes in: int32 for int64 before 9.0, fp32 for fp64 where it is narrowed."""
    facts = release(target)
    if dtype == "int64" and facts.int64 == "clamped_to_int32":
        return "int32"
    return "fp32" if dtype == "fp64" and facts.double == "narrowed_to_float" else dtype


def operator_dtypes(target: Target, op_type: str) -> tuple[str, ...] | None:
    """The element types the release's table lists for an operator, None when it lists none."""
    entries = table("operators")["ops"].get(op_type, {}).get(target.track, {}).get("dtypes", ())
    entry = in_force(entries, target.release)
    return tuple(entry["set"]) if entry else None
