"""Is the model a valid ONNX model?"""

from __future__ import annotations

from onnxfix import sandbox
from onnxfix.model import Model, light_proto
from onnxfix.records import Check


def check_structure(model: Model, timeout: float = 120.0) -> Check:
    """The ONNX checker with full_check, in the sandbox and without the weights.

    A checker that crashes is a failed check, one that runs over `timeout` seconds says nothing (not_verified).
    """
    try:
        complaint = sandbox.default().call(
            "onnxfix.verify.structure:complaint", light_proto(model).SerializeToString(), timeout=timeout
        )
    except sandbox.SandboxCrash as crash:
        return Check("structural", "failed", f"the model crashes the ONNX checker ({crash.signal})")
    except sandbox.SandboxTimeout:
        return Check("structural", "not_verified", f"the ONNX checker took longer than {timeout:g} s")
    if complaint:
        return Check("structural", "failed", f"the ONNX checker refuses it: {complaint}")
    return Check("structural", "passed", "the ONNX checker accepts it (full_check)")


def complaint(data: bytes) -> str:
    """What the ONNX checker says of a serialized model, "" when it is valid. Runs inside the sandbox."""
    import onnx

    try:
        onnx.checker.check_model(data, full_check=True)
    except Exception as error:  # the checker and the inference behind it raise many kinds
        return " ".join(str(error).split())
    return ""
