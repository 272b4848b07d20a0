"""What every straight line starts with: the model, the options, the rules, and the facts that head a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from onnxfix.errors import OnnxfixError
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.model import Model
from onnxfix.model.types import STANDARD
from onnxfix.records import ModelSummary
from onnxfix.rewrite.rule import Rule
from onnxfix.targets import local_target, resolve
from onnxfix.targets.records import Target

Source = str | Path | onnx.ModelProto
Progress = Callable[[str], object]


def summary(model: Model) -> ModelSummary:
    """The few facts that head a report."""
    graph = model.proto.graph
    return ModelSummary(
        opset=next((entry.version for entry in model.proto.opset_import if entry.domain in STANDARD), 1),
        ir_version=model.proto.ir_version,
        nodes=len(graph.node),
        inputs=tuple(value.name for value in graph.input),
        outputs=tuple(value.name for value in graph.output),
    )


def options_of(
    target: str | None,
    opset: int | None,
    select: Sequence[str],
    ignore: Sequence[str],
    unsafe_fixes: bool,
    interface_changes: bool,
    rules: Sequence[str | Path],
) -> Options:
    """The settings of one look or repair; without a name the target is the TensorRT on this machine, if any."""
    return Options(
        target=resolve(target) if target else local_target(),
        opset=opset,
        select=tuple(select),
        ignore=tuple(ignore),
        unsafe_fixes=unsafe_fixes,
        interface_changes=interface_changes,
        rule_folders=tuple(Path(folder) for folder in rules),
    )


def rules_of(options: Options) -> tuple[Rule, ...]:
    """All rules, those of the user's folders too.  Raises OnnxfixError for a word in select or ignore that is none."""
    every_rule = load_rules(options.rule_folders)
    words = {"ALL", *(word for rule in every_rule for word in (rule.code, rule.name, rule.family))}
    for word in (*options.select, *options.ignore):
        if word not in words and not any(rule.code.startswith(word.upper()) for rule in every_rule):
            raise OnnxfixError(f"no rule is called {word!r}", hint="`onnxfix rules` lists them")
    return every_rule


def title_of(target: Target | None) -> str:
    """How a report names the target."""
    return target.title if target else "no TensorRT on this machine"
