"""What is known of the operator or the GPU that a message names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnxfix.targets.cuda import cuda_error
from onnxfix.targets.limits import onnx_schema
from onnxfix.targets.names import make_target
from onnxfix.targets.records import release, release_table
from onnxfix.targets.tables import table

_TAKEN = ("yes", "code")


def said_of(names: Mapping[str, str | None]) -> Iterator[str]:
    """Sentences about the groups of a pattern.

    `op` is an operator for TensorRT, `onnx_op` (with `opset`) for ONNX, `sm` a GPU, `cuda` an error of CUDA, `api` a
    name of TensorRT's API (with `api_class`).
    """
    if operator := names.get("op"):
        yield _importers(operator)
    if operator := names.get("onnx_op"):
        yield from _opsets(operator, names.get("opset"))
    if capability := names.get("sm"):
        yield from _releases(capability)
    if (said := names.get("cuda")) and (error := cuda_error(said)):
        yield error.sentence
    if member := names.get("api"):
        yield from _presence(member, names.get("api_class"))


def _presence(member: str, owner: str | None) -> Iterator[str]:
    """Which releases have a name of the API, where a source tells, one class after the other."""
    facts = table("releases")["python_api"]
    spans = {entry["api"]: entry for entry in (*facts["older"], *facts["presence"])}
    for api, entry in spans.items():
        if api.rpartition(".")[2] != member or (owner and "." in api and not api.startswith(f"{owner}.")):
            continue
        told = (_lasted(title, entry.get(track)) for track, title in (("trt", "TensorRT"), ("rtx", "TensorRT-RTX")))
        found = ", ".join(filter(None, (*told, _lasted("TensorRT", entry))))
        yield f"{api} is in {found or 'no release that is known'}"


def _lasted(title: str, span: Mapping[str, str] | None) -> str:
    """`TensorRT 8.6 up to 10.0, not in it`; "" without a span.  8.6 is the first release whose wheels were read."""
    if not span or not {"since", "until"} & {*span}:
        return ""
    since, until = span.get("since"), span.get("until")
    begin = "" if since in (None, "8.6") else f" {since}"
    end = f" before {until}" if until else " and later" if begin else ""
    return f"{title}{begin}{end}"


def _importers(operator: str) -> str:
    facts = table("operators")["ops"].get(operator)
    if facts is None:
        known = onnx_schema(operator, None) is not None
        what = (
            "no source tells which releases take it"
            if known
            else "no operator of ONNX: it needs its plugin, or another export"
        )
        return f"{operator}: {what}"
    spans = (
        _span(title, facts[track]) for track, title in (("trt", "TensorRT"), ("rtx", "TensorRT-RTX")) if track in facts
    )
    return f"{operator} has an importer in: {', '.join(filter(None, spans)) or 'no release that is known'}"


def _span(title: str, facts: Mapping[str, list[Mapping[str, str]]]) -> str:
    """`TensorRT 8.5 and later`; "" when no release takes it."""
    taken = [entry["since"] for entry in facts["support"] if entry["state"] in _TAKEN]
    if not taken or facts["support"][-1]["state"] not in _TAKEN:
        return ""
    return f"{title} {taken[0]} and later"


def _opsets(operator: str, opset: str | None) -> Iterator[str]:
    newest = onnx_schema(operator, None)
    if newest is None:
        yield f"{operator} is no operator of ONNX: load the library that has it, or export it in standard operators"
        return
    if opset is None:
        return
    if onnx_schema(operator, int(opset)) is None:
        yield f"{operator} came after opset {opset}, or left ONNX: convert the model"
    else:
        yield f"ONNX has {operator} in opset {opset}: the program that reads the model is older, update it"


def _releases(capability: str) -> Iterator[str]:
    """The releases for a GPU, from `89`, `8.9` or TensorRT's `0x809`."""
    major, minor = (
        (capability[2:-2], capability[-1]) if capability.startswith("0x") else (capability[:-1], capability[-1])
    )
    number = int(major.rstrip(".")) * 10 + int(minor)
    known = [release(make_target("trt", key)) for key in release_table("trt")]
    told = [
        (item.key, item.sm_min, item.sm_max) for item in known if item.sm_min is not None and item.sm_max is not None
    ]
    able = [key for key, least, most in told if least <= number <= most]
    if able:
        until = "and later" if able[-1] == told[-1][0] else f"to {able[-1]}"
        yield f"compute capability {number // 10}.{number % 10} is one for TensorRT {able[0]} {until}"
