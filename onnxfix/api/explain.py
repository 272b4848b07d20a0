"""explain(): from a code, a message or a log to the cause and what repairs it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from onnxfix.errors import OnnxfixError
from onnxfix.rewrite.rule import Rule
from onnxfix.targets import Advice, Log, Reading, Target, advice_ids, advice_named, advise, read_message, resolve

MOST = 64 << 20
"""Characters of a log that are read; the rest is left out, and said to be."""


@dataclass(frozen=True)
class ExplainReport:
    """What a question was about: `rule` when it named one, else `advice`, the causes found in the text.

    Where no cause of an error is known, `reading` tells what the message itself says.
    """

    asked: str
    advice: tuple[Advice, ...] = ()
    rule: Rule | None = None
    lines: int = 0
    notes: tuple[str, ...] = ()
    reading: Reading | None = None

    @property
    def exit_code(self) -> int:
        """0 when a cause is known, else 1."""
        return int(not self.advice and self.rule is None)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types; a rule is named by its code, `onnxfix rules CODE --format json` has the rest."""
        return {
            "asked": self.asked,
            "rule": self.rule.code if self.rule else "",
            "advice": [asdict(item) for item in self.advice],
            "reading": asdict(self.reading) if self.reading else None,
            "lines": self.lines,
            "notes": list(self.notes),
            "exit_code": self.exit_code,
        }


def explain(words: str, *, target: str | None = None, piped: TextIO | None = None) -> ExplainReport:
    """What a rule's code or name, the name of a cause, a file with a log, or a text means.

    `piped` is the text in place of `words` when that is "-".  Raises OnnxfixError for an empty question, a word that
    looks like a code and is none, a file that is no text, and an unknown target.
    """
    goal = resolve(target) if target else None
    if words == "-":
        return _of_log("standard input", Log.read(piped, MOST) if piped else Log.of(""), goal)
    if not words.strip():
        raise OnnxfixError("nothing to explain", hint="give a code, a message in quotes, a log file, or -")
    if rule := _rule(words.strip()):
        return ExplainReport(words, rule=rule)
    if named := advice_named(words.strip()):
        return ExplainReport(words, (named,))
    if _is_file(words):
        return _of_log(words, _read(Path(words)), goal)
    report = _of_log(words, Log.of(words), goal)
    if report.exit_code and not report.reading and len(words.split()) == 1:
        raise _unknown(words.strip())
    return report


def _of_log(asked: str, log: Log, target: Target | None) -> ExplainReport:
    notes = [f"only the first {MOST >> 20} MiB were read"] if log.more else []
    if log.dropped:
        notes.append(f"{log.dropped:,} of {log.lines:,} lines were not looked at: they say nothing of trouble")
    found = tuple(map(_with_rules, advise(log, target)))
    reading = read_message(log) if all(advice.harmless for advice in found) else None
    if reading:
        reading = replace(reading, rules=_rules_for(reading.operators))
    return ExplainReport(asked, found, lines=log.lines, notes=tuple(notes), reading=reading)


def _with_rules(advice: Advice) -> Advice:
    """With the rules for the operators that the message names, the most special first, before the message's own."""
    if not advice.operators or advice.harmless:
        return advice
    return replace(advice, rules=tuple(dict.fromkeys((*_rules_for(advice.operators), *advice.rules))))


def _rules_for(named: tuple[str, ...]) -> tuple[str, ...]:
    """The codes of the rules for some operators, the most special first."""
    from onnxfix.fixpoint.catalogue import load_rules

    operators = {rule.code: {*rule.parameters.get("operators", ())} for rule in load_rules() if not rule.step}
    codes = [code for code in operators if operators[code] & {*named}]
    return tuple(sorted(codes, key=lambda code: (len(operators[code]), code)))


def _rule(word: str) -> Rule | None:
    from onnxfix.fixpoint.catalogue import load_rules

    if " " in word or len(word) > MOST_NAME:
        return None
    return next((rule for rule in load_rules() if word in (rule.name, rule.code) or word.upper() == rule.code), None)


MOST_NAME = 80
_LOGS = (".log", ".txt", ".out", ".err")


def _is_file(words: str) -> bool:
    try:
        return Path(words).is_file()
    except (OSError, ValueError):  # a message that is too long or too odd for a name
        return False


def _read(path: Path) -> Log:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
            wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
            if b"\0" in head and not wide:
                hint = "`onnxfix check` takes models, `onnxfix inspect` takes plans"
                raise OnnxfixError("is not a text", where=str(path), hint=hint)
            file.seek(0)
            with TextIOWrapper(file, encoding="utf-16" if wide else "utf-8", errors="replace") as text:
                return Log.read(text, MOST)
    except OSError as error:
        raise OnnxfixError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


def _unknown(word: str) -> OnnxfixError:
    from onnxfix.fixpoint.catalogue import load_rules

    names = [*advice_ids(), *(name for rule in load_rules() for name in (rule.code, rule.name))]
    close = ", ".join(get_close_matches(word, names)) or "`onnxfix rules` lists the codes; put a message in quotes"
    missing = ", and there is no such file" if Path(word).suffix in _LOGS or "/" in word else ""
    return OnnxfixError(f"nothing is known of {word!r}{missing}", hint=close)
