"""Say what this machine has of all that onnxfix uses, what is broken, and how to mend it."""

from __future__ import annotations

import argparse

from onnxfix.cli.arguments import declare_format


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Look at everything; 1 when something that repair or build needs is broken."""
    from onnxfix.api.doctor import doctor
    from onnxfix.report import terminal

    with terminal.progress() as progress:
        progress("looking")
        report = doctor()
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report.engines import doctor_lines

        terminal.write(doctor_lines(report))
    return report.exit_code
