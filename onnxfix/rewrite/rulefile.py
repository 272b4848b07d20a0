"""From a TOML file to a Rule; every mistake is told with the file, the key and the cause."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast, get_args

import onnx

from onnxfix.errors import RuleError
from onnxfix.records import Applicability, Kind, Level
from onnxfix.rewrite.expression import Expression, ExpressionError, parse_expression
from onnxfix.rewrite.functions import functions_for
from onnxfix.rewrite.pattern import PatternError, check_text, parse_error, parse_nodes
from onnxfix.rewrite.reader import Reader
from onnxfix.rewrite.rule import ANY_OPSET, Body, Example, Parameter, PatternNode, Rewrite, Rule, TargetRange
from onnxfix.rewrite.soundness import mistakes

MAX_FILE = 200_000
MAX_OPSET = 1000

RULE_KEYS = {
    *("code", "name", "level", "applicability", "summary", "why", "safety"),
    *("opset", "target", "step", "when", "rewrite", "action", "examples", "kind"),
}
REWRITE_KEYS = {"match", "with", "where", "let", "optional", "variadic", "variadic_outputs", "ignore", "each"}
EXAMPLE_KEYS = {"before", "after", "note", "opset", "reports", "baseline", "request", "target"}
REQUEST_KEYS = {"freeze", "shapes", "dynamic_batch", "cut"}
_FUNCTIONS = functions_for(None)
_PROSE = re.compile(r'^(?:why|safety) = """.*?"""$', re.MULTILINE | re.DOTALL)
_BODY = re.compile(r"^\[\[(?:rewrite|examples)\]\]", re.MULTILINE)
_TEXT = re.compile(r'^([a-z]+) = "([^"\\\n]*)"$', re.MULTILINE)
_LEVELS, _APPLICABILITIES, _KINDS_OF_ERRORS = map(get_args, (Level, Applicability, Kind))


def parse_rule(
    text: str, source: str, family: str, actions: Mapping[str, Mapping[str, Parameter]], *, lazily: bool = False
) -> Rule:
    """Read one rule.  `actions` are the known actions with their parameters by name.

    With `lazily` prose, rewrites and examples are read when they are wanted, and their mistakes told then.
    Raises RuleError; `where` is the source and the key.
    """
    if len(text.encode()) > MAX_FILE:
        raise RuleError(f"larger than {MAX_FILE} bytes", where=source)
    reader = _head(text, source) if lazily else _table(text, source)
    reader.known(RULE_KEYS)
    action, parameters = _action(reader, actions)
    read = partial(_body, text, source, bool(action))
    if not lazily:
        read = partial(Body, *read())
    return Rule(
        code=_matching(reader, "code", r"[A-Z]{3}\d{3}", "three capitals and three digits, such as OFX001"),
        name=_matching(reader, "name", r"[a-z0-9]+(-[a-z0-9]+)*", "small letters and hyphens, such as upsample-op"),
        family=family,
        source=source,
        level=cast(Level, reader.choice("level", _LEVELS, "error")),
        applicability=cast(Applicability, reader.choice("applicability", _APPLICABILITIES)),
        summary=reader.text("summary"),
        opset=_range(reader, "opset") or ANY_OPSET,
        target=_target(reader),
        read=read,
        action=action,
        parameters=parameters,
        step=_step(reader),
        only_refused=reader.choice("when", ("always", "refused"), "always") == "refused",
        kind=_kind(reader),
    )


def _head(text: str, source: str) -> Reader:
    """What is before rewrites and examples, without the prose.

    Most lines are `key = "text"`: they are picked out, which takes a tenth of the time of reading TOML.
    """
    head = _PROSE.sub("", _BODY.split(text, 1)[0])
    keys, bracket, tables = head.partition("\n[")
    others = _table(_TEXT.sub("", keys) + bracket + tables, source).table
    return Reader(source, {**dict(_TEXT.findall(keys)), **others})


def _table(text: str, source: str) -> Reader:
    try:
        return Reader(source, tomllib.loads(text))
    except RecursionError:
        raise RuleError("not TOML: brackets nested too deeply", where=source) from None
    except ValueError as error:  # TOMLDecodeError, or a number of more than 4,300 digits
        raise RuleError(f"not TOML: {error}", where=source) from None


def _body(text: str, source: str, has_action: bool) -> Body:
    reader = _table(text, source)
    rewrites = tuple(rewrite for item in reader.tables("rewrite") for rewrite in _rewrites(item))
    if bool(rewrites) == has_action:
        raise reader.error("", "a rule has either [[rewrite]] or one action")
    examples = tuple(_example(item) for item in reader.tables("examples"))
    return Body(reader.text("why"), reader.text("safety"), rewrites, examples)


def _kind(reader: Reader) -> Kind:
    """The kind of a rule's errors: as the rule says, else "refused" for one about refused nodes."""
    refused = reader.choice("when", ("always", "refused"), "always") == "refused"
    return cast(Kind, reader.choice("kind", _KINDS_OF_ERRORS, "refused" if refused else "defect"))


def _matching(reader: Reader, key: str, pattern: str, form: str) -> str:
    value = reader.text(key)
    if not re.fullmatch(pattern, value):
        raise reader.error(key, f"is {value!r}; must be {form}")
    return value


def _range(reader: Reader, key: str) -> tuple[int, int] | None:
    """`"7..9"`, `"11.."`, `"..12"` or `"9"`."""
    if key not in reader.table:
        return None
    text = reader.text(key)
    if not re.fullmatch(r"\d{1,3}|\d{1,3}\.\.|(\d{1,3})?\.\.\d{1,3}", text):
        raise reader.error(key, 'must be a range such as "7..9", "11.." or "13"')
    first, dots, last = text.partition("..")
    low = int(first or 1)
    high = int(last or MAX_OPSET) if dots else low
    if low > high:
        raise reader.error(key, "is empty")
    return low, high


def _step(reader: Reader) -> tuple[int, int] | None:
    if "step" not in reader.table:
        return None
    value = reader.table["step"]
    start, end = (value.get("from"), value.get("to")) if isinstance(value, dict) and len(value) == 2 else (None, None)
    if type(start) is not int or type(end) is not int or abs(start - end) != 1:
        raise reader.error("step", "must be { from = N, to = N+1 } or { from = N, to = N-1 }")
    return start, end


def _target(reader: Reader) -> TargetRange | None:
    if "target" not in reader.table:
        return None
    inner = Reader(reader.source, reader.table["target"], "target")
    if not isinstance(reader.table["target"], dict):
        raise reader.error("target", 'must be a table such as { track = "trt", before = "9.0" }')
    inner.known({"track", "from", "before"})
    for key in ("from", "before"):
        if key in inner.table:
            _matching(inner, key, r"\d+(\.\d+)*", "a release such as 8.6")
    return TargetRange(inner.choice("track", ("", "trt", "rtx"), ""), inner.text("from", ""), inner.text("before", ""))


def _action(reader: Reader, actions: Mapping[str, Mapping[str, Parameter]]) -> tuple[str, dict[str, Any]]:
    if "action" not in reader.table:
        return "", {}
    value = reader.table["action"]
    if not isinstance(value, dict):
        raise reader.error("action", 'must be a table such as { name = "fold_constants" }')
    inner = Reader(reader.source, value, "action")
    name = inner.choice("name", tuple(sorted(actions)))
    inner.known({"name", *actions[name]})
    for key, parameter in actions[name].items():
        if parameter.required and key not in value:
            raise inner.error(key, "missing")
        if key in value and not parameter.takes(value[key]):
            raise inner.error(key, f"must be {_KINDS[parameter.kind]}")
    return name, {key: item for key, item in value.items() if key != "name"}


_KINDS = {int: "a number", bool: "true or false", str: "a text", list: "a list of texts", dict: "a table of texts"}


def _example(reader: Reader) -> Example:
    reader.known(EXAMPLE_KEYS)
    opset = reader.table.get("opset")
    if opset is not None and type(opset) is not int:
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
    request = reader.table.get("request", {})
    if not isinstance(request, dict) or not request.keys() <= REQUEST_KEYS:
        raise reader.error("request", f"must be a table with some of {', '.join(sorted(REQUEST_KEYS))}")
    reports, target = reader.text("reports", ""), reader.text("target", "")
    return Example(reader.text("before"), after, note, opset, reports, baseline, request, target)


def _rewrites(reader: Reader) -> Iterator[Rewrite]:
    """The rewrites of one table: one, or one for each operator of `each`, named `Each` in the patterns."""
    operators = reader.names("each")
    if not operators:
        yield _rewrite(reader)
    for operator in sorted(operators):
        if not operator.isidentifier():
            raise reader.error("each", f"{operator!r} is not the name of an operator")
        texts = {key: re.sub(r"\bEach\b", operator, reader.text(key)) for key in ("match", "with")}
        yield _rewrite(Reader(reader.source, {**reader.table, **texts}, reader.at))


def _rewrite(reader: Reader) -> Rewrite:
    reader.known(REWRITE_KEYS)
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


def _nodes(reader: Reader, key: str) -> tuple[PatternNode, ...]:
    try:
        nodes = parse_nodes(reader.text(key))
    except PatternError as error:
        raise reader.error(key, str(error)) from None
    if not nodes:
        raise reader.error(key, "holds no node")
    return nodes


def _lets(reader: Reader) -> tuple[tuple[str, Expression], ...]:
    table = reader.table.get("let", {})
    if not isinstance(table, dict):
        raise reader.error("let", "must be a table of expressions")
    return tuple((name, _expression(reader, f"let.{name}", source)) for name, source in table.items())


def _expression(reader: Reader, key: str, source: Any) -> Expression:
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
        raise PatternError(parse_error(error)) from None
