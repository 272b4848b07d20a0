"""Run the examples of your own rules: each repairs as written, keeps the numbers, and comes to an end."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from onnxfix.errors import OnnxfixError
from onnxfix.report.text import Line, counted, sentence

if TYPE_CHECKING:
    from onnxfix.rewrite.rule import Rule


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder with the rules")


def run(options: argparse.Namespace) -> int:
    """Test every rule of the folder; 1 when an example does not hold, or a rule has none that fires."""
    from onnxfix import sandbox

    sandbox.checker().start("onnxfix.model.inference:get_ready")
    from onnxfix.fixpoint.catalogue import load_rules
    from onnxfix.report import terminal

    every = load_rules((options.folder,))
    built_in = {rule.code for rule in load_rules()}
    own = [rule for rule in every if rule.code not in built_in]
    if not own:
        raise OnnxfixError("holds no rule", where=str(options.folder), hint="`onnxfix rules new NAME` writes one")
    failed = False
    for rule in own:
        mistakes = list(_mistakes(rule, every))
        terminal.write(_lines(rule, mistakes))
        failed = failed or bool(mistakes)
    return int(failed)


def _mistakes(rule: Rule, every: tuple[Rule, ...]) -> Iterator[str]:
    from onnxfix.verify.examples import problems

    for number, example in enumerate(rule.examples, 1):
        yield from (f"example {number}: {problem}" for problem in problems(rule, example, every))
    if not any(example.after for example in rule.examples):
        yield "no example has an `after`: nothing shows that the rule ever fires"


def _lines(rule: Rule, mistakes: list[str]) -> Iterator[Line]:
    verdict = ("failed", "bold red") if mistakes else ("passed", "green")
    yield ((rule.code, "bold"), f" {rule.name}: {counted(len(rule.examples), 'example')} ", verdict)
    yield from (("  ", sentence(mistake)) for mistake in mistakes)
