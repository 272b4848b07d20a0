"""The reports of check and repair as lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from onnxfix.records import AppliedFix, Check, CheckReport, Culprit, InterfaceChange, RepairReport
from onnxfix.report.commands import repair_command
from onnxfix.report.groups import entry_lines, grouped, of_diagnostic, of_fix, of_withheld
from onnxfix.report.text import Line, counted, listed, sentence, visible

FIXES, FINDINGS = 3, 10
"""How many places of one message are named: of applied fixes, and of findings that remain."""

_PATH, _NODE_TEXT, _RENAMED = 400, 300, 8
_TITLES = {"structural": "Structure", "numeric": "Numbers", "engine": "Engine"}
_OUTCOMES = {
    "passed": ("passed", "green"),
    "failed": ("failed", "bold red"),
    "not_verified": ("not verified", "yellow"),
}


def check_lines(report: CheckReport) -> Iterator[Line]:
    """What `check` found in one model."""
    summary = report.summary
    yield _header(report.model, f"opset {summary.opset}", summary.nodes, report.target)
    yield from grouped(map(of_diagnostic, report.diagnostics), FINDINGS)
    if report.complaint:
        yield (("The ONNX checker refuses the model: ", "red"), sentence(report.complaint))
    yield from (("note: ", sentence(note)) for note in report.told)
    yield _tally(report)


def repair_lines(report: RepairReport, *, diff: bool = False) -> Iterator[Line]:
    """What `repair` did to one model; with `diff` every fix on its own, with its nodes before and after."""
    old, new = report.before.opset, report.after.opset
    yield _header(report.model, f"opset {old}" + (f" -> {new}" if new != old else ""), _nodes(report), report.target)
    yield from _differences(report.fixes) if diff else grouped(map(of_fix, report.fixes), FIXES)
    yield from grouped(map(of_diagnostic, (d for d in report.remaining if d.level != "note")), FINDINGS)
    yield from grouped(map(of_withheld, (w for w in report.withheld if w.diagnostic.level != "note")), FIXES)
    yield from _left_as_notes(report)
    yield from map(_interface_line, report.interface)
    yield from (line for culprit in report.culprits for line in _culprit_lines(culprit))
    yield from (("note: ", sentence(note)) for note in report.notes)
    yield _fixed(report)
    yield from map(_check_line, report.verdict.checks)
    yield from _written(report)


def brief_lines(report: RepairReport) -> Iterator[Line]:
    """The same in a line, for a model among many that was repaired or had nothing to repair; what its callers or its
    owner have to know follows."""
    time = (f"   {report.seconds:.1f} s", "dim")
    codes = ", ".join(dict.fromkeys(fix.code for fix in report.fixes))
    if not report.fixes:
        yield (f"{visible(report.model, _PATH)}   ", ("nothing to fix", "green"), time)
    elif report.output:
        there = ("   -> ", (visible(report.output, _PATH), "bold"))
        yield (f"{visible(report.model, _PATH)}   ", ("repaired", "green"), f" ({codes})", *there, time)
    else:
        yield (f"{visible(report.model, _PATH)}   ", ("would be repaired", "yellow"), f" ({codes})", time)
    yield from (("  ", *_interface_line(change)) for change in report.interface)
    yield from (("  note: ", sentence(note)) for note in report.notes)


def _culprit_lines(culprit: Culprit) -> Iterator[Line]:
    """The fix that makes the repair wrong, and a small model that shows it."""
    place = f" in {visible(culprit.scope)}" if culprit.scope else ""
    yield (("Culprit ", "bold red"), f"{culprit.code} {culprit.rule} at {visible(culprit.node)}{place}: ")
    yield (f"  {sentence(culprit.difference)}",)
    yield from ((f"  {visible(line, _NODE_TEXT)}",) for line in culprit.example.splitlines())


def _interface_line(change: InterfaceChange) -> Line:
    """An input or output that callers find changed."""
    before, after = (visible(text, _NODE_TEXT) for text in (change.before or "new", change.after or "gone"))
    return (
        ("Interface ", "bold"),
        f"{change.kind} {visible(change.name)}: ",
        (before, "red"),
        " -> ",
        (after, "green"),
    )


def _left_as_notes(report: RepairReport) -> Iterator[Line]:
    """Findings that are no defect for the target, in one line."""
    found = [item for item in (*report.remaining, *(w.diagnostic for w in report.withheld)) if item.level == "note"]
    if found:
        rules = listed(list(dict.fromkeys(visible(f"{item.code} {item.rule}") for item in found)), FINDINGS)
        yield ((f"{counted(len(found), 'note')}, no defect for this target (see `onnxfix check`): {rules}", "dim"),)


def _header(model: str, opset: str, nodes: str | int, target: str) -> Line:
    count = nodes if isinstance(nodes, str) else counted(nodes, "node")
    return ((visible(model, _PATH), "bold"), f"   {opset}, {count}, target {visible(target)}")


def _nodes(report: RepairReport) -> str:
    old, new = report.before.nodes, report.after.nodes
    return counted(old, "node") if old == new else f"{old} -> {counted(new, 'node')}"


def _tally(report: CheckReport) -> Line:
    diagnostics = report.diagnostics
    if not diagnostics:
        return ("No rule finds a defect.",) if report.complaint else (("No defects.", "green"),)
    levels = Counter(item.level for item in diagnostics)
    counts = ", ".join(counted(levels[level], level) for level in ("error", "warning", "note") if levels[level])
    defects = Counter(item.fix for item in diagnostics if item.level != "note")
    able = [f"[*] `{repair_command(report.target_name)}` fixes {defects['safe']}."] if defects["safe"] else []
    able += [f"[!] {defects['unsafe']} with --unsafe-fixes."] if defects["unsafe"] else []
    return (" ".join((f"{counts}.", *able)),)


def _differences(fixes: Iterable[AppliedFix]) -> Iterator[Line]:
    for fix in fixes:
        yield from entry_lines([of_fix(fix)], 1)
        yield from (("  ", (f"- {visible(text, _NODE_TEXT)}", "red")) for text in fix.before)
        yield from (("  ", (f"+ {visible(text, _NODE_TEXT)}", "green")) for text in fix.after)
        renamed = [f"{visible(old)} -> {visible(new)}" for old, new in fix.renamed.items()]
        yield from (("  ", (f"~ {text}", "yellow")) for text in renamed[:_RENAMED])
        if len(renamed) > _RENAMED:
            yield ("  ", (f"~ and {counted(len(renamed) - _RENAMED, 'more name')}", "yellow"))


def _fixed(report: RepairReport) -> Line:
    left = [item for item in report.remaining if item.level != "note"]
    left += [item.diagnostic for item in report.withheld if item.diagnostic.level != "note"]
    total = len(report.fixes) + len(left)
    if not total:
        return (("Nothing to fix.", "green"),)
    verb = "Would fix" if report.fixes and not report.output else "Fixed"
    good = report.output and not left
    return ((f"{verb} {len(report.fixes)} of {total}.", "green" if good else "yellow"),)


def _check_line(check: Check) -> Line:
    word, style = _OUTCOMES[check.outcome]
    return (f"{_TITLES[check.kind]:10}", (f"{word:13}", style), sentence(check.reason), (_tolerance(check), "dim"))


def _tolerance(check: Check) -> str:
    """The tolerances of the floating types that were compared."""
    pairs = check.details.get("tolerances", {}).items()
    parts = [f"{visible(dtype)} {a:g} of the largest + {r:g} of each" for dtype, (a, r) in pairs if a or r]
    return f"; allowed: {', '.join(parts)}" if parts else ""


def _written(report: RepairReport) -> Iterator[Line]:
    time = (f"   {report.seconds:.1f} s", "dim")
    if report.output:
        yield (("Wrote ", "bold"), (visible(report.output, _PATH), "bold"), time)
        if report.rest:
            yield (("Wrote ", "bold"), (visible(report.rest, _PATH), "bold"), "   what the cut took off")
    elif report.unwritten:
        yield (("Nothing written: ", "bold red"), _why_unwritten(report), time)
    elif report.fixes:
        yield (("Nothing written (dry run).", "bold"), time)


def _why_unwritten(report: RepairReport) -> str:
    """The reason in full, unless it stands in the line of a check already."""
    told = [check for check in report.verdict.checks if report.unwritten.endswith(check.reason)]
    return f"the {told[0].kind} check did not pass." if told else sentence(report.unwritten)
