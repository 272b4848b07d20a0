"""Rule files with one mistake each, and what is said of them; `{actions}` stands for the names of all actions."""

from __future__ import annotations

HEAD = """code = "ABC123"
name = "some-rule"
applicability = "safe"
summary = "a summary"
why = "a reason"
safety = "a proof"
"""
REWRITE = """[[rewrite]]
match = '''
a = Relu (x)
y = Softmax <axis: int = @axis> (a)
'''
with = 'y = Softmax <axis: int = @axis> (x)'
where = 'axis == 1'
"""
GOOD = HEAD + REWRITE
ACTION = HEAD + "action = { name = 'shorten_names', limit = 9 }\n"


def _without(key: str) -> str:
    return "".join(line for line in GOOD.splitlines(keepends=True) if not line.startswith(f"{key} ="))


def _with(match: str, replacement: str = "y = Relu (x)", more: str = "") -> str:
    return f"{HEAD}[[rewrite]]\nmatch = '''\n{match}\n'''\nwith = '''\n{replacement}\n'''\n{more}"


def _example(lines: str) -> str:
    return f"{GOOD}[[examples]]\n{lines}\n"


_EVERY_KEY = (
    "action, applicability, code, examples, kind, level, name, opset, rewrite, safety, step, summary, target, when, why"
)
_REWRITE_KEYS = "each, ignore, let, match, optional, variadic, variadic_outputs, where, with"
_RANGE = 'must be a range such as "7..9", "11.." or "13"'
_STEP = "must be { from = N, to = N+1 } or { from = N, to = N-1 }"

BROKEN: dict[str, tuple[str, str]] = {
    # the file
    "empty": ("", "a rule has either [[rewrite]] or one action"),
    "syntax": ("code = ", "not TOML: Invalid value (at end of document)"),
    "key twice": (GOOD + 'where = "1"\n', "not TOML: Cannot overwrite a value (at line 14, column 12)"),
    "nested brackets": (GOOD + "x = " + "[" * 6000, "not TOML: brackets nested too deeply"),
    "a number of many digits": (
        GOOD + "x = " + "1" * 5000,
        "not TOML: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; "
        "use sys.set_int_max_str_digits() to increase the limit",
    ),
    "too large": (GOOD + "#" * 200_000, "larger than 200000 bytes"),
    "unknown key": ("colour = 1\n" + GOOD, f"colour: unknown key; there are: {_EVERY_KEY}"),
    # the rule
    "no code": (_without("code"), "code: missing"),
    "code of a wrong form": (
        GOOD.replace("ABC123", "abc1"),
        "code: is 'abc1'; must be three capitals and three digits, such as OFX001",
    ),
    "code that is no text": (GOOD.replace('"ABC123"', "123"), "code: must be a text"),
    "name of a wrong form": (
        GOOD.replace("some-rule", "Some Rule"),
        "name: is 'Some Rule'; must be small letters and hyphens, such as upsample-op",
    ),
    "no summary": (_without("summary"), "summary: missing"),
    "empty why": (GOOD.replace("a reason", " "), "why: is empty"),
    "no applicability": (_without("applicability"), "applicability: missing"),
    "wrong applicability": (
        GOOD.replace('"safe"', '"harmless"'),
        "applicability: is 'harmless'; must be one of safe, unsafe, display",
    ),
    "wrong level": ("level = 'fatal'\n" + GOOD, "level: is 'fatal'; must be one of error, warning, note"),
    "opset that is a number": ("opset = 13\n" + GOOD, "opset: must be a text"),
    "opset of a wrong form": ("opset = '7-9'\n" + GOOD, f"opset: {_RANGE}"),
    "opset of two numbers in one": ("opset = '100200'\n" + GOOD, f"opset: {_RANGE}"),
    "opset without numbers": ("opset = '..'\n" + GOOD, f"opset: {_RANGE}"),
    "opset that is empty": ("opset = '9..7'\n" + GOOD, "opset: is empty"),
    "step over two versions": ("step = { from = 9, to = 11 }\n" + GOOD, f"step: {_STEP}"),
    "step of another form": ("step = '9 to 10'\n" + GOOD, f"step: {_STEP}"),
    "step with more": ("step = { from = 9, to = 10, by = 1 }\n" + GOOD, f"step: {_STEP}"),
    "target of another form": (
        "target = 'trt'\n" + GOOD,
        'target: must be a table such as { track = "trt", before = "9.0" }',
    ),
    "unknown key of target": (
        "target = { version = '8' }\n" + GOOD,
        "target.version: unknown key; there are: before, from, track",
    ),
    "unknown track": ("target = { track = 'tpu' }\n" + GOOD, "target.track: is 'tpu'; must be one of trt, rtx"),
    "release of a wrong form": (
        "target = { from = 'v8' }\n" + GOOD,
        "target.from: is 'v8'; must be a release such as 8.6",
    ),
    # the action
    "neither": (HEAD, "a rule has either [[rewrite]] or one action"),
    "both": (HEAD + "action = { name = 'sort_nodes' }\n" + REWRITE, "a rule has either [[rewrite]] or one action"),
    "action of another form": (
        HEAD + "action = 'sort_nodes'",
        'action: must be a table such as { name = "fold_constants" }',
    ),
    "action without a name": (HEAD + "action = { limit = 9 }", "action.name: missing"),
    "unknown action": (HEAD + "action = { name = 'rm' }", "action.name: is 'rm'; must be one of {actions}"),
    "unknown parameter": (ACTION.replace("9 }", "9, size = 1 }"), "action.size: unknown key; there are: limit, name"),
    "missing parameter": (ACTION.replace(", limit = 9", ""), "action.limit: missing"),
    "parameter of a wrong type": (ACTION.replace("9", "'nine'"), "action.limit: must be a number"),
    "true for a number": (ACTION.replace("9", "true"), "action.limit: must be a number"),
    "a text for a list": (
        HEAD + "action = { name = 'harmonise_types', types = 'int32' }",
        "action.types: must be a list of texts",
    ),
    "numbers for texts": (
        HEAD + "action = { name = 'harmonise_types', types = [1] }",
        "action.types: must be a list of texts",
    ),
    # the rewrite
    "one rewrite as a table": (GOOD.replace("[[rewrite]]", "[rewrite]"), "rewrite: must be written as [[rewrite]]"),
    "unknown key of the rewrite": (
        GOOD + "replace = 'x'",
        f"rewrite[1].replace: unknown key; there are: {_REWRITE_KEYS}",
    ),
    "no match": (HEAD + "[[rewrite]]\nwith = 'y = Relu (x)'", "rewrite[1].match: missing"),
    "no with": (HEAD + "[[rewrite]]\nmatch = 'y = Relu (x)'", "rewrite[1].with: missing"),
    "no ONNX text": (
        _with("y <- Relu(x)"),
        "rewrite[1].match: [ParseError at position (line: 1 column: 3)] Error context: y <- Relu(x) "
        "Expected character = not found.",
    ),
    "no node": (_with("# nothing"), "rewrite[1].match: holds no node"),
    "brackets in ONNX text": (
        _with("y = If (x) <a = " + "[" * 6000),
        "rewrite[1].match: brackets nested deeper than 16",
    ),
    "text behind the nodes": (_with("y = Relu (x) } z = Abs (x)"), "rewrite[1].match: '}' closes nothing"),
    "long ONNX text": (_with("#" * 20_000), "rewrite[1].match: longer than 20000 characters"),
    "many nodes": (
        _with("\n".join(f"v{n + 1} = Neg(v{n})" for n in range(51))),
        "rewrite[1].match: more than 50 nodes",
    ),
    "a graph in the pattern": (
        _with("y = If (x) <then_branch = t () => (z) { z = Abs (a) }>"),
        "rewrite[1].match: then_branch of If is a graph, which a rewrite cannot hold",
    ),
    "a value made twice": (_with("a = Abs (x)\na = Neg (x)\ny = Add (a, a)"), "rewrite[1].match: makes 'a' twice"),
    "disconnected": (
        _with("a = Abs (z)\ny = Relu (x)", "y = Add (x, z)\na = Neg (z)"),
        "rewrite[1].match: Abs is not connected to the other nodes",
    ),
    "ends with a Constant": (
        _with("y = Constant <value = float {1.0}> ()"),
        "rewrite[1].match: must not end with a Constant",
    ),
    "another Constant": (
        _with("c = Constant <value_float = 1.0> ()\ny = Mul (x, c)"),
        "rewrite[1].match: a Constant in a pattern must be written as Constant <value = float {2.0}> ()",
    ),
    "leaf not made again": (
        _with("y = Abs (x)\nz = Neg (x)"),
        "rewrite[1].with: does not make 'z', which the pattern makes and does not use",
    ),
    "unbound name": (
        _with("y = Abs (x)", "y = Add (x, z)"),
        "rewrite[1].with: 'z' is neither an input of the pattern nor made before its use",
    ),
    "interior value": (
        _with("a = Abs (x)\ny = Neg (a)", "y = Relu (a)"),
        "rewrite[1].with: 'a' is neither an input of the pattern nor made before its use",
    ),
    "made before": (
        _with("y = Abs (x)", "x = Neg (x)\ny = Relu (x)"),
        "rewrite[1].with: makes 'x', which is there already",
    ),
    "unbound attribute": (
        _with("y = Abs (x)", "y = Softmax <axis: int = @axis> (x)"),
        "rewrite[1].with: @axis is bound nowhere in the pattern",
    ),
    "another type": (
        GOOD.replace("with = 'y = Softmax <axis: int", "with = 'y = Softmax <axis: float"),
        "rewrite[1].with: @axis has another type than in the pattern",
    ),
    "one name for two": (GOOD.replace("(x)", "(axis)"), "rewrite[1].match: 'axis' names both a value and an attribute"),
    # conditions and computed values
    "where that is no text": (GOOD.replace("'axis == 1'", "true"), "rewrite[1].where: must be a text"),
    "where of Python": (
        GOOD.replace("axis == 1", "axis.real"),
        "rewrite[1].where: Attribute is not part of the language at column 1",
    ),
    "where with an unbound name": (
        GOOD.replace("axis == 1", "size == axis"),
        "rewrite[1].where: size is bound nowhere in the pattern",
    ),
    "let of another form": (GOOD + "let = 'k'", "rewrite[1].let: must be a table of expressions"),
    "let that is a number": (GOOD + "let = { k = 1 }", "rewrite[1].let.k: must be an expression in quotes"),
    "let of an unknown function": (
        GOOD + "let = { k = 'exp(1)' }",
        "rewrite[1].let.k: unknown function exp at column 1; there are: {functions}",
    ),
    "let before its use": (GOOD + "let = { k = 'm', m = '1' }", "rewrite[1].let.k: m is bound nowhere before it"),
    "let with a name of the pattern": (
        GOOD + "let = { x = '1' }",
        "rewrite[1].let.x: has the name of something in the pattern",
    ),
    "a number as a value": (
        _with("y = Abs (x)", "y = Add (x, k)", "let = { k = '1' }"),
        "rewrite[1].let.k: is read as a value, so it must be a tensor(items, dtype)",
    ),
    "optional that is not there": (GOOD + "optional = ['z']", "rewrite[1].optional: z is not an input of the pattern"),
    "optional made inside": (GOOD + "optional = ['a']", "rewrite[1].optional: a is not an input of the pattern"),
    "optional that is a text": (GOOD + "optional = 'x'", "rewrite[1].optional: must be a list of names"),
    "variadic in the middle": (
        _with("y = Concat <axis = 0> (xs, x)", more="variadic = 'xs'"),
        "rewrite[1].variadic: xs is not the last name of exactly one node of the pattern",
    ),
    "each that is no operator": (GOOD + "each = ['A B']", "rewrite[1].each: 'A B' is not the name of an operator"),
    # examples
    "unknown key of an example": (
        _example("befor = 'x'"),
        "examples[1].befor: unknown key; there are: after, baseline, before, note, opset, reports, request, target",
    ),
    "example without a model": (_example("note = 'x'"), "examples[1].before: missing"),
    "brackets in an example": (
        _example(f"before = '{'<' * 6000}'"),
        "examples[1].before: brackets nested deeper than 16",
    ),
    "opset of an example": (_example("before = 'x'\nopset = true"), "examples[1].opset: must be a number"),
    "reports and after": (
        _example("before = 'x'\nafter = 'x'\nreports = 'y'"),
        "examples[1].reports: is for findings that nothing repairs; there is `after`",
    ),
    "no baseline and no note": (
        _example("before = 'x'\nbaseline = false"),
        "examples[1].baseline: must be true, or false with a note that says why no runtime takes the model",
    ),
}
