"""The reports of `check` as JUnit XML: a suite for each target, a test case for each model."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from onnxfix.records import CheckReport, Diagnostic
from onnxfix.report.merged import name_of, notes
from onnxfix.report.text import sentence


def text(reports: Sequence[CheckReport], errors: Sequence[str]) -> str:
    """The whole document; a model fails by what makes `check` exit with 1."""
    root = Xml.Element("testsuites", name="onnxfix check")
    for target in dict.fromkeys(map(name_of, reports)):
        own = [report for report in reports if name_of(report) == target]
        failures = sum(report.exit_code for report in own)
        suite = Xml.SubElement(
            root, "testsuite", name=sentence(target), tests=str(len(own)), failures=str(failures), errors="0"
        )
        for report in own:
            _case(suite, report)
    if errors:
        count = str(len(errors))
        suite = Xml.SubElement(root, "testsuite", name="unreadable", tests=count, failures="0", errors=count)
        for error in errors:
            case = Xml.SubElement(suite, "testcase", classname="unreadable", name=sentence(error.split(": ")[0]))
            Xml.SubElement(case, "error", message=sentence(error))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _case(suite: Xml.Element, report: CheckReport) -> None:
    case = Xml.SubElement(suite, "testcase", classname=sentence(name_of(report)), name=sentence(report.model))
    if told := notes([report]):
        Xml.SubElement(case, "system-out").text = "\n".join(sentence(note) for _, note in told)
    if not report.exit_code:
        return
    defects = [item for item in report.diagnostics if item.level != "note"]
    lines = [*map(_line, defects), *([sentence(report.complaint)] if report.complaint else [])]
    failure = Xml.SubElement(case, "failure", message=lines[0], type=report.state)
    failure.text = "\n".join(lines)


def _line(item: Diagnostic) -> str:
    place = "/".join(filter(None, (item.scope, item.node or item.value)))
    return sentence(f"{item.code} {item.level} {item.rule}: {item.message} {place} {item.origin}")
