"""The straight line of check(): from a file to what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxfix.api.asking import ASK_LIMIT
from onnxfix.api.diagnosis import checked
from onnxfix.api.settings import Progress, Source, options_of, rules_of, summary, title_of
from onnxfix.model import load
from onnxfix.records import CheckReport


def check(
    model: Source,
    *,
    target: str | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    rules: Sequence[str | Path] = (),
    ask_target: bool = True,
    ask_limit: float = ASK_LIMIT,
    progress: Progress = str,
) -> CheckReport:
    """Find defects; nothing is changed.

    `target` is a name such as "trt8.6" or "jetson-nano", by default the TensorRT on this machine.  `select` and
    `ignore` hold rule codes, names or families; `rules` are folders with rules of your own.  The target's own parser
    and builder are asked where they are installed, unless `ask_target` is false; elsewhere, and where they give no
    answer within `ask_limit` seconds, the fact base answers.
    Raises OnnxfixError for a file that is no model, a rule with a mistake, or an unknown target.
    """
    options = options_of(target, None, select, ignore, False, False, rules)
    every_rule = rules_of(options)
    original = load(model)
    found = checked(original, every_rule, options, ask_limit=ask_limit if ask_target else 0, progress=progress)
    original.confirm()
    assumed = options.target.note if options.target else ""
    return CheckReport(
        model=original.label,
        target=title_of(options.target),
        summary=summary(original),
        diagnostics=found.diagnostics,
        complaint=found.complaint,
        target_name=options.target.name if options.target else "",
        state=found.state,
        asked=found.answer.asked,
        notes=tuple(filter(None, (assumed, found.answer.said, found.answer.chosen))),
    )
