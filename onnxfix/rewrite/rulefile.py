"""From a TOML file to a Rule; every mistake is told with the file, the key and the cause."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import onnx

from onnxfix.errors import RuleError
from onnxfix.records import Applicability, Level
from onnxfix.rewrite.expression import Expression, ExpressionError, parse_expression
from onnxfix.rewrite.functions import functions_for
from onnxfix.rewrite.pattern import PatternError, check_text, parse_nodes
from onnxfix.rewrite.rule import ANY_OPSET, Example, PatternNode, Rewrite, Rule, TargetRange
from onnxfix.rewrite.soundness import mistakes

MAX_FILE = 200_000
MAX_OPSET = 1000

_RULE_KEYS = {
    *("code", "name", "level", "applicability", "summary", "why", "safety"),
    *("opset", "target", "step", "rewrite", "action", "examples"),
}
_REWRITE_KEYS = {"match", "with", "where", "let", "optional", "variadic", "variadic_outputs", "ignore", "each"}
_FUNCTIONS = functions_for(None, {})


@dataclass(frozen=True)
class _Reader:
    """One table of one file; `at` is its key path."""

    source: str
    table: Mapping[str, Any]
    at: str = ""

    def error(self, key: str, cause: str) -> RuleError:
        path = ".".join(filter(None, (self.at, key)))
        return RuleError(cause, where=f"{self.source}: {path}" if path else self.source)

    def known(self, keys: set[str]) -> None:
        for key in self.table:
            if key not in keys:
                raise self.error(key, f"unknown key; there are: {', '.join(sorted(keys))}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.table.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(key, "missing" if value is None else "must be a text")
        return value

    def names(self, key: str) -> frozenset[str]:
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of names")
        return frozenset(value)

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise self.error(key, f"is {value!r}; must be one of {', '.join(choices)}")
        return value

    def tables(self, key: str) -> Iterator[_Reader]:
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, f"must be written as [[{key}]]")
        for number, table in enumerate(value, 1):
            yield _Reader(self.source, table, f"{key}[{number}]")


def parse_rule(text: str, source: str, family: str, actions: Mapping[str, frozenset[str]]) -> Rule:
    """Read one rule.  `actions` are the known actions with the names of their parameters.

    Raises RuleError; `where` is the source and the key.
    """
    if len(text) > MAX_FILE:
        raise RuleError(f"larger than {MAX_FILE} characters", where=source)
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RuleError(f"not TOML: {error}", where=source) from None
    reader = _Reader(source, table)
    reader.known(_RULE_KEYS)
    action, parameters = _action(reader, actions)
    rewrites = tuple(rewrite for item in reader.tables("rewrite") for rewrite in _rewrites(item))
    if bool(rewrites) == bool(action):
        raise reader.error("", "a rule has either [[rewrite]] or one action")
    return Rule(
        code=_matching(reader, "code", r"[A-Z]{3}\d{3}", "three capitals and three digits, such as OFX001"),
        name=_matching(reader, "name", r"[a-z0-9]+(-[a-z0-9]+)*", "small letters and hyphens, such as upsample-op"),
        family=family,
        source=source,
        level=_level(reader.choice("level", get_args(Level), "error")),
        applicability=_applicability(reader.choice("applicability", get_args(Applicability), "")),
        summary=reader.text("summary"),
        why=reader.text("why"),
        safety=reader.text("safety"),
        opset=_range(reader, "opset") or ANY_OPSET,
        target=_target(reader),
        rewrites=rewrites,
        action=action,
        parameters=parameters,
        step=_step(reader),
        examples=tuple(_example(item) for item in reader.tables("examples")),
    )


def _level(text: str) -> Level:
    return text  # type: ignore[return-value]  # choice() allows only the levels


def _applicability(text: str) -> Applicability:
    return text  # type: ignore[return-value]  # choice() allows only these


def _matching(reader: _Reader, key: str, pattern: str, form: str) -> str:
    value = reader.text(key)
    if not re.fullmatch(pattern, value):
        raise reader.error(key, f"is {value!r}; must be {form}")
    return value


def _range(reader: _Reader, key: str) -> tuple[int, int] | None:
    """`"7..9"`, `"11.."`, `"..12"` or `"9"`."""
    if key not in reader.table:
        return None
    found = re.fullmatch(r"(\d{1,3})?(\.\.)?(\d{1,3})?", reader.text(key))
    if not found or not (found[1] or found[3]):
        raise reader.error(key, 'must be a range such as "7..9", "11.." or "13"')
    low = int(found[1] or 1)
    high = int(found[3]) if found[3] else (MAX_OPSET if found[2] else low)
    if low > high:
        raise reader.error(key, "is empty")
    return low, high


def _step(reader: _Reader) -> tuple[int, int] | None:
    if "step" not in reader.table:
        return None
    value = reader.table["step"]
    start, end = (value.get("from"), value.get("to")) if isinstance(value, dict) else (None, None)
    if not isinstance(start, int) or not isinstance(end, int) or abs(start - end) != 1:
        raise reader.error("step", "must be { from = N, to = N+1 } or { from = N, to = N-1 }")
    return start, end


def _target(reader: _Reader) -> TargetRange | None:
    if "target" not in reader.table:
        return None
    inner = _Reader(reader.source, reader.table["target"], "target")
    if not isinstance(reader.table["target"], dict):
        raise reader.error("target", 'must be a table such as { track = "trt", before = "9.0" }')
    inner.known({"track", "from", "before"})
    for key in ("from", "before"):
        if key in inner.table:
            _matching(inner, key, r"\d+(\.\d+)*", "a release such as 8.6")
    return TargetRange(inner.choice("track", ("", "trt", "rtx"), ""), inner.text("from", ""), inner.text("before", ""))


def _action(reader: _Reader, actions: Mapping[str, frozenset[str]]) -> tuple[str, dict[str, Any]]:
    if "action" not in reader.table:
        return "", {}
    value = reader.table["action"]
    if not isinstance(value, dict):
        raise reader.error("action", 'must be a table such as { name = "fold_constants" }')
    inner = _Reader(reader.source, value, "action")
    name = inner.choice("name", tuple(sorted(actions)), "")
    inner.known({"name", *actions[name]})
    return name, {key: item for key, item in value.items() if key != "name"}


def _example(reader: _Reader) -> Example:
    reader.known({"before", "after", "note", "opset", "reports", "baseline"})
    opset = reader.table.get("opset")
    if opset is not None and not isinstance(opset, int):
        raise reader.error("opset", "must be a number")
    for key in ("before", "after"):
        try:
            check_text(reader.text(key, ""))
        except PatternError as error:
            raise reader.error(key, str(error)) from None
    after = reader.text("after") if "after" in reader.table else None
    if after is not None and "reports" in reader.table:
        raise reader.error("reports", "is for findings that nothing repairs; there is `after`")
    baseline, note = reader.table.get("baseline", True), reader.text("note", "")
    if not isinstance(baseline, bool) or not (baseline or note):
        raise reader.error("baseline", "must be true, or false with a note that says why no runtime takes the model")
    return Example(reader.text("before"), after, note, opset, reader.text("reports", ""), baseline)


def _rewrites(reader: _Reader) -> Iterator[Rewrite]:
    """The rewrites of one table: one, or one for each operator of `each`, named `Each` in the patterns."""
    operators = reader.names("each")
    if not operators:
        yield _rewrite(reader)
    for operator in sorted(operators):
        texts = {key: re.sub(r"\bEach\b", operator, reader.text(key)) for key in ("match", "with")}
        yield _rewrite(_Reader(reader.source, {**reader.table, **texts}, reader.at))


def _rewrite(reader: _Reader) -> Rewrite:
    reader.known(_REWRITE_KEYS)
    pattern, replacement = _nodes(reader, "match"), _nodes(reader, "with")
    lets = _lets(reader)
    made = {name for node in replacement for name in node.outputs}
    results = {n for node in pattern if not node.is_constant for n in node.outputs if n in made}
    rewrite = Rewrite(
        pattern=pattern,
        replacement=replacement,
        results=tuple(sorted(results)),
        where=_expression(reader, "where", reader.text("where")) if "where" in reader.table else None,
        lets=lets,
        optional=reader.names("optional"),
        variadic=reader.text("variadic", ""),
        variadic_outputs=reader.text("variadic_outputs", ""),
        ignore=reader.names("ignore"),
    )
    for key, cause in mistakes(rewrite):
        raise reader.error(key, cause)
    return rewrite


def _nodes(reader: _Reader, key: str) -> tuple[PatternNode, ...]:
    try:
        nodes = parse_nodes(reader.text(key))
    except PatternError as error:
        raise reader.error(key, str(error)) from None
    if not nodes:
        raise reader.error(key, "holds no node")
    return nodes


def _lets(reader: _Reader) -> tuple[tuple[str, Expression], ...]:
    table = reader.table.get("let", {})
    if not isinstance(table, dict):
        raise reader.error("let", "must be a table of expressions")
    return tuple((name, _expression(reader, f"let.{name}", source)) for name, source in table.items())


def _expression(reader: _Reader, key: str, source: Any) -> Expression:
    if not isinstance(source, str):
        raise reader.error(key, "must be an expression in quotes")
    try:
        return parse_expression(source, _FUNCTIONS)
    except ExpressionError as error:
        raise reader.error(key, str(error)) from None


def example_model(text: str) -> onnx.ModelProto:
    """The model of an example.  Raises PatternError when the text is no model."""
    check_text(text)
    try:
        return onnx.parser.parse_model(text)
    except onnx.parser.ParseError as error:
        raise PatternError(" ".join(str(error).split())) from None
