"""Opset conversion over the official ONNX cases: how many convert, are valid, and compute the same.

`python -m benchmarks.opset --sample 300` converts each case, and a twin whose small inputs are constants, to every
version of TARGETS.  The original's outputs in ONNX Runtime are the truth, or where it cannot run the original, the
recorded ones.  A result that equals neither is silently wrong; there must be none.
"""

from __future__ import annotations

import argparse
import random
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from benchmarks.cases import Case, folder_cases, node_cases
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.conversion import blockers_of, convert
from onnxfix.model import Model, external_tensors, load
from onnxfix.verify.compare import compare
from onnxfix.verify.runtime import CannotLoad, CannotRun, Session

TARGETS = (7, 9, 10, 11, 12, 13, 14, 17, 18, 20, 21, 24, onnx.defs.onnx_opset_version())
RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
SMALL = 64


@dataclass(frozen=True)
class Result:
    """What became of one case at one target: equal, wrong, blocked (not converted), invalid (the checker refuses it),
    refused (runtimes take only the original) or not run (they take neither)."""

    case: str
    start: int
    target: int
    outcome: str
    reason: str = ""


def measure(case: Case) -> Iterator[Result]:
    """All targets of one case."""
    start = next((entry.version for entry in case.model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if not start or any(node.op_type in RANDOM for node in case.model.graph.node):
        return
    case = replace(case, inputs={n: np.asarray(v) if isinstance(v, np.generic) else v for n, v in case.inputs.items()})
    original = outputs_of(case.model, case.inputs)
    for target in TARGETS:
        if target != start:
            yield Result(case.name, start, target, *_converted(case, target, original))


def _converted(case: Case, target: int, original: dict[str, Any] | None) -> tuple[str, str]:
    result = convert(load(case.model), target, load_rules())
    blockers = [found.diagnostic() for found in blockers_of(result)]
    if blockers:
        return "blocked", f"{blockers[0].op_type}: {blockers[0].message}"
    proto = whole(result.model)
    said = complaint(proto)
    if said and not complaint(case.model):
        return "invalid", said
    outputs = outputs_of(proto, case.inputs)
    if outputs is None:
        return ("not run" if original is None else "refused"), "no runtime takes the result"
    differences = [difference(truth, outputs) for truth in (original, case.outputs) if truth]
    return ("equal", "") if "" in differences else ("wrong", differences[0])


def whole(model: Model) -> onnx.ModelProto:
    """The model with its weights inside."""
    for tensor in external_tensors(model.proto):
        tensor.CopyFrom(onnx.numpy_helper.from_array(model.array(tensor), tensor.name))
    return model.proto


def complaint(model: onnx.ModelProto) -> str:
    """What the checker says with full_check, "" when the model is valid."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker raises several types
        return " ".join(str(error).split())
    return ""


def outputs_of(model: onnx.ModelProto, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The outputs in ONNX Runtime; in ONNX's own reference where that has no kernel; None when neither takes it."""
    try:
        return Session(model.SerializeToString()).run(inputs)
    except (CannotLoad, CannotRun, KeyError):
        return _reference(model, inputs)


def _reference(model: onnx.ModelProto, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    from onnx.reference import ReferenceEvaluator

    names = [value.name for value in model.graph.output]
    wanted = {value.name for value in model.graph.input}
    try:
        results = ReferenceEvaluator(model).run(None, {k: v for k, v in inputs.items() if k in wanted})
    except Exception:  # the reference raises whatever its operators raise
        return None
    return dict(zip(names, results, strict=True))


def difference(truth: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
    """Where outputs are not what they should be, "" when they are."""
    for name, expected in truth.items():
        ones, others = _arrays(expected), _arrays(outputs.get(name))
        if len(ones) != len(others):
            return f"{name}: another number of tensors"
        for one, other in zip(ones, others, strict=True):
            why = compare(name, one, other).why
            if why:
                return f"{name}: {why}"
    return ""


def _arrays(value: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(value, list | tuple):
        return [array for item in value for array in _arrays(item)]
    return [] if value is None else [np.asarray(value)]


def frozen(case: Case) -> Case:
    """The case with its small inputs after the first as constants, as exporters write axes, sizes and bounds."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs = dict(case.inputs)
    for value in list(model.graph.input)[1:]:
        array = inputs.get(value.name)
        if isinstance(array, np.ndarray) and array.size <= SMALL and array.dtype.kind in "biuf":
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
            model.graph.input.remove(value)
            del inputs[value.name]
    return replace(case, name=f"{case.name} (frozen)", model=model, inputs=inputs)


def main() -> None:
    """Print the shares, and every result that is wrong or invalid."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sample", type=int, default=0, help="how many cases, drawn with a fixed seed; 0: all")
    parser.add_argument("--blocked", action="store_true", help="count the reasons of conversions that were refused")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cases = [twin for case in (*node_cases(), *folder_cases()) if case.inputs for twin in (case, frozen(case))]
    if arguments.sample:
        cases = random.Random(0).sample(cases, min(arguments.sample, len(cases)))
    results = [result for case in cases for result in measure(case)]
    for direction, chosen in (
        ("up", [r for r in results if r.target > r.start]),
        ("down", [r for r in results if r.target < r.start]),
    ):
        print(direction, len(chosen), dict(Counter(result.outcome for result in chosen)))
    for result in results:
        if result.outcome in ("wrong", "invalid", "refused"):
            print(f"{result.outcome}: {result.case} {result.start} -> {result.target}: {result.reason[:200]}")
    if arguments.blocked:
        for reason, count in Counter(r.reason for r in results if r.outcome == "blocked").most_common(60):
            print(count, reason[:220])


if __name__ == "__main__":
    main()
