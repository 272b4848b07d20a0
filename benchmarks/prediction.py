"""How true the fact base is: its verdict on every official model, without asking the target, against the real one.

    python -m benchmarks.prediction [--answers FILE] [--list] [--page FILE] [--peers]
                                    [--alone] [--models FOLDER] [--variants N] [--seed S]

The real TensorRT on this machine parses and builds each model, with a profile for the recorded inputs where the case
has some; FILE keeps its answers, so that they are asked once.  With --alone it is asked of each model without them too,
as `onnxfix check MODEL` does: onnxfix chooses sizes and values.
Every disagreement must be explained by its class (EXPLAINED); else the exit code is 1.  --models tries your own models.
--variants changes official node cases at random: models with which no fact was found, as long as the seed is a new one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.cases import Case, folder_cases, node_cases
from benchmarks.prediction_page import Tally, Verdict, lines, page
from benchmarks.prediction_peers import PEERS, verdicts_of
from benchmarks.variants import variants
from fixtures import darknet, small
from onnxfix.legalise import known_refusals
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.records import CHOSEN
from onnxfix.targets import Target, local_target
from onnxfix.verify.engine import verify_engine, verify_fitting


@dataclass(frozen=True)
class Class:
    """Disagreements of one kind, known by a part of what is said of them, and why they stay."""

    false_alarm: bool
    words: str
    reason: str


EXPLAINED = (
    Class(False, CHOSEN, "without recorded inputs (variants): sizes chosen for free dimensions do not fit each other"),
)


def main() -> int:
    """Print the tables; 1 when a disagreement has no explanation."""
    options = _options()
    target = local_target()
    assert target is not None, "no TensorRT on this machine"
    answers = json.loads(options.answers.read_text()) if options.answers and options.answers.exists() else {}
    cases, made = list(_cases(options.models)), list(variants(options.variants, options.seed))
    verdicts = [_verdict(case, target, answers, alone=False) for case in cases]
    others = [_verdict(case, target, {}, alone=False) for case in made]
    alone = [_verdict(case, target, answers, alone=True) for case in cases if options.alone]
    alone += [_verdict(case, target, {}, alone=True) for case in made if options.alone]
    if options.answers:
        options.answers.write_text(json.dumps(answers, indent=0))
    peers = {name: verdicts_of(name, cases, verdicts) for name in PEERS} if options.peers else {}
    print(f"{target.title}, onnx {onnx.__version__}")
    for line in lines([*verdicts, *others, *alone], peers):
        print(line)
    wrong = [verdict for verdict in (*verdicts, *alone) if verdict.wrong]
    for verdict in [*wrong, *(other for other in others if other.wrong)] if options.list else ():
        kind = "false alarm" if verdict.known else "missed"
        print(f"{kind} {verdict.kind} {verdict.name}: {verdict.known or verdict.said}")
        print(f"    {_explanation(verdict) or 'NOT EXPLAINED'}")
    if options.page:
        stay = Tally(item for item in map(_explanation, wrong) if item)
        options.page.write_text(page(verdicts, [*others, *alone], peers, target, stay), encoding="utf-8")
    return int(not all(_explanation(verdict) for verdict in wrong if verdict.official))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=Path, help="a JSON file that keeps the target's answers")
    parser.add_argument("--list", action="store_true", help="list every disagreement with its explanation")
    parser.add_argument("--page", type=Path, help="write docs/prediction.md here")
    parser.add_argument("--peers", action="store_true", help="trtcheck and onnx-doctor beside (the `bench` extra)")
    parser.add_argument("--alone", action="store_true", help="ask of the models without their recorded inputs as well")
    parser.add_argument("--variants", type=int, default=0, metavar="N", help="random variants of node cases as well")
    parser.add_argument("--seed", type=int, default=14, help="of the variants; 1 to 5 and 11 to 13 found facts")
    parser.add_argument("--models", type=Path, help="a folder of models of your own instead of the official ones")
    return parser.parse_args()


def _cases(folder: Path | None) -> Iterator[Case]:
    if folder is not None:
        yield from (Case(path.stem, "yours", onnx.load(path), {}, {}) for path in sorted(folder.rglob("*.onnx")))
        return
    yield from node_cases()
    yield from folder_cases()
    yield from (Case(name, "fixture", small.build(name), {}, {}) for name in small.TEXTS)
    for network in ("yolov3", "yolov3-tiny", "yolov2"):
        for opset in darknet.AILING_OPSETS:
            model = darknet.build(network, opset=opset, size=64, width=0.125, ailments=True)
            yield Case(f"{network}-{opset}", "fixture", model, {}, {})
        yield Case(
            f"{network}-healthy", "fixture", darknet.build(network, size=64, width=0.125, ailments=False), {}, {}
        )


def _verdict(case: Case, target: Target, answers: dict[str, str], *, alone: bool) -> Verdict:
    """`alone` is without the recorded inputs."""
    kind = f"{case.kind} alone" if alone else case.kind
    key = f"{kind}/{case.name}"
    if key not in answers:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            onnx.save(case.model, path)
            check = verify_engine(path, target, sample=None if alone else _arrays(case), run=False)
            if check.outcome == "failed" and alone:
                check = verify_fitting(path, check, target, run=False)
        answers[key] = f"{check.reason} {check.details['chosen']}".rstrip() if check.outcome == "failed" else ""
    return Verdict(case.name, kind, _operator(case), _known(case.model, target), answers[key])


def _arrays(case: Case) -> dict[str, Any]:
    """The recorded inputs that are tensors."""
    return {name: value for name, value in case.inputs.items() if isinstance(value, (np.ndarray, np.generic))}


def _known(model: onnx.ModelProto, target: Target) -> str:
    """The first words of the fact base on what it knows to be refused."""
    scopes, _ = typed_scopes(load(model))
    refusals = known_refusals(scopes, target)
    return next(iter((*refusals.wide.values(), *refusals.exact.values())), refusals.model)


def _operator(case: Case) -> str:
    """The operator that a node case is about: its first; other models go by their kind."""
    nodes = [node.op_type for node in case.model.graph.node]
    return nodes[0] if case.kind in ("node", "variant") and nodes else case.kind


def _explanation(verdict: Verdict) -> str:
    """Why a disagreement stays, "" when no class has it."""
    for known in EXPLAINED:
        if known.false_alarm == bool(verdict.known) and known.words in (verdict.known or verdict.said):
            return known.reason
    return ""


if __name__ == "__main__":
    sys.exit(main())
