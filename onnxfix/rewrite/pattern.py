"""From ONNX text to the nodes of a pattern or a replacement."""

from __future__ import annotations

import re

import onnx

from onnxfix.rewrite.rule import PatternNode

MAX_TEXT = 20_000
MAX_NESTING = 16
MAX_NODES = 50
_SKIPPED = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*|=>', re.DOTALL)


class PatternError(ValueError):
    """The text is no list of ONNX nodes, or is larger than a rule may be."""


def parse_nodes(text: str) -> tuple[PatternNode, ...]:
    """Parse lines such as `y = Resize <mode: string = @mode> (x, "", scales)`.

    The size and the nesting are capped before onnx's parser sees the text, which deep nesting would crash.
    Raises PatternError with the parser's message.
    """
    check_text(text)
    try:
        function = onnx.parser.parse_function(
            f'<domain: "onnxfix.pattern", opset_import: ["" : 1]> body () => () {{\n{text}\n}}'
        )
    except onnx.parser.ParseError as error:
        raise PatternError(parse_error(error, first_line=2)) from None
    if len(function.node) > MAX_NODES:
        raise PatternError(f"more than {MAX_NODES} nodes")
    return tuple(_pattern_node(node) for node in function.node)


def parse_error(error: onnx.parser.ParseError, *, first_line: int = 1) -> str:
    """What onnx's parser says, on one line, with line numbers that start at the text's `first_line`."""
    said = error.args[0]
    text = " ".join((said.decode(errors="replace") if isinstance(said, bytes) else str(said)).split())
    return re.sub(r"line: (\d+)", lambda found: f"line: {int(found[1]) - first_line + 1}", text)


def check_text(text: str) -> None:
    """Raise PatternError when a text from a stranger is too large or too deeply nested for onnx's parser."""
    if len(text) > MAX_TEXT:
        raise PatternError(f"longer than {MAX_TEXT} characters")
    depth = 0
    for character in _SKIPPED.sub("", text):  # brackets in strings and comments nest nothing
        depth += (character in "([{<") - (character in ")]}>")
        if depth > MAX_NESTING:
            raise PatternError(f"brackets nested deeper than {MAX_NESTING}")
        if depth < 0:
            raise PatternError(f"{character!r} closes nothing")


def _pattern_node(node: onnx.NodeProto) -> PatternNode:
    return PatternNode(
        domain="" if node.domain == "ai.onnx" else node.domain,
        op_type=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        literals={a.name: a for a in node.attribute if not a.ref_attr_name},
        captures={a.name: a.ref_attr_name for a in node.attribute if a.ref_attr_name},
        proto=node,
    )
