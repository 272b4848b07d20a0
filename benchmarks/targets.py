"""How true the fact base is: its verdict on every official model, without asking the target, against the real one.

    python -m benchmarks.targets [--answers FILE] [--list]

The real TensorRT on this machine parses and builds each model; FILE keeps its answers, so that they are asked once.
Where trtcheck is installed its verdicts stand beside: any critical issue for TensorRT 10.3, its newest target; it knows
no TensorRT-RTX.  onnx-doctor is no peer here: it knows no target.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from benchmarks.cases import Case, folder_cases, node_cases
from onnxfix.legalise import known_refusals
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.targets import Target, local_target
from onnxfix.verify.engine import verify_engine


@dataclass(frozen=True)
class Verdict:
    """One model: what the fact base says ("" when it knows no refusal), what the target says ("" when it builds)."""

    name: str
    kind: str
    operator: str
    known: str
    said: str


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=Path, help="a JSON file that keeps the target's answers")
    parser.add_argument("--list", action="store_true", help="list every disagreement")
    options = parser.parse_args()
    target = local_target()
    assert target is not None, "no TensorRT on this machine"
    answers = json.loads(options.answers.read_text()) if options.answers and options.answers.exists() else {}
    verdicts = list(_verdicts([*node_cases(), *folder_cases()], target, answers))
    if options.answers:
        options.answers.write_text(json.dumps(answers, indent=0))
    print(f"{target.title}, onnx {onnx.__version__}")
    for line in table(verdicts):
        print(line)
    if importlib.util.find_spec("trtcheck"):
        print(_row("all, by trtcheck", list(_by_trtcheck(verdicts))))
    if options.list:
        for verdict in verdicts:
            if bool(verdict.known) != bool(verdict.said):
                print(f"{'false alarm' if verdict.known else 'missed'} {verdict.name}: {verdict.known or verdict.said}")


def _verdicts(cases: Iterable[Case], target: Target, answers: dict[str, str]) -> Iterator[Verdict]:
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            key = f"{case.kind}/{case.name}"
            if key not in answers:
                path = Path(folder, "model.onnx")
                onnx.save(case.model, path)
                check = verify_engine(path, target)
                answers[key] = check.reason if check.outcome == "failed" else ""
            yield Verdict(case.name, case.kind, _operator(case), _known(case.model, target), answers[key])


def _known(model: onnx.ModelProto, target: Target) -> str:
    """The first words of the fact base on a node that it knows to be refused."""
    scopes, _ = typed_scopes(load(model))
    refusals = known_refusals(scopes, target)
    return next(iter(refusals.wide.values()), "")


def _by_trtcheck(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """The same models with what trtcheck says of them; where it stumbles it has told nothing."""
    import trtcheck

    models = {(case.kind, case.name): case.model for case in (*node_cases(), *folder_cases())}
    config = trtcheck.AnalyzerConfig(target_trt="10.3")
    with tempfile.TemporaryDirectory() as folder:
        for verdict in verdicts:
            path = Path(folder, "model.onnx")
            onnx.save(models[verdict.kind, verdict.name], path)
            issues: list[object] = []
            with contextlib.suppress(Exception):
                report = trtcheck.analyze(path, config=config)
                issues = [issue for issue in report.issues if issue.severity == trtcheck.Severity.CRITICAL]
            yield replace(verdict, known=str(issues[0]) if issues else "")


def _operator(case: Case) -> str:
    """The operator that a node case is about: its first that is not there to feed another."""
    nodes = [node.op_type for node in case.model.graph.node]
    return nodes[0] if case.kind == "node" and nodes else case.kind


def table(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Precision and recall of "refused": for node cases, whole models, and operators that are not told rightly."""
    every = list(verdicts)
    yield f"{'':28}{'models':>8}{'refused':>9}{'told':>7}{'precision':>11}{'recall':>8}"
    for name, own in (
        ("node cases", [v for v in every if v.kind == "node"]),
        ("whole models", [v for v in every if v.kind != "node"]),
        ("all", every),
    ):
        yield _row(name, own)
    wrong = Counter(v.operator for v in every if bool(v.known) != bool(v.said))
    for operator, _ in wrong.most_common():
        yield _row(operator, [v for v in every if v.operator == operator])


def _row(name: str, own: list[Verdict]) -> str:
    refused, told = [v for v in own if v.said], [v for v in own if v.known]
    both = sum(bool(v.said) for v in told)
    precision = f"{both / len(told):.1%}" if told else "-"
    recall = f"{both / len(refused):.1%}" if refused else "-"
    return f"{name:28}{len(own):8}{len(refused):9}{len(told):7}{precision:>11}{recall:>8}"


if __name__ == "__main__":
    main()
