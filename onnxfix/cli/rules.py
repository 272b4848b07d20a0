"""List the rules, or explain one.  `onnxfix rules test` and `onnxfix rules new` are commands of their own."""

from __future__ import annotations

import argparse
import sys
from difflib import get_close_matches

from onnxfix.cli.arguments import declare_folders, declare_format
from onnxfix.cli.config import settings
from onnxfix.errors import OnnxfixError


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("rule", metavar="CODE|NAME", nargs="?", help="the rule to explain (default: list all)")
    declare_folders(parser)
    declare_format(parser, "markdown")


def run(options: argparse.Namespace) -> int:
    """Print the catalogue, or the page of one rule."""
    from onnxfix.fixpoint.catalogue import load_rules
    from onnxfix.report import json, markdown, rules, terminal

    every = load_rules(settings(options).rules)
    chosen = [rule for rule in every if options.rule in (None, rule.name) or options.rule.upper() == rule.code]
    if options.rule and not chosen:
        names = [word for rule in every for word in (rule.code, rule.name)]
        close = ", ".join(get_close_matches(options.rule, names)) or "`onnxfix rules` lists them"
        raise OnnxfixError(f"no rule is called {options.rule!r}", hint=close)
    if options.format == "markdown":
        sys.stdout.write(markdown.catalogue(chosen))
    elif options.format == "json":
        json.write(rules.rule_json(chosen[0]) if options.rule else [rules.rule_json(rule) for rule in chosen])
    else:
        terminal.write(rules.page_lines(chosen[0]) if options.rule else rules.catalogue_lines(chosen))
    return 0
