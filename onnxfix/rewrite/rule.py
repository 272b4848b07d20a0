"""What a rule file says, as typed values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import onnx

from onnxfix.records import Applicability, Kind, Level
from onnxfix.rewrite.expression import Expression

ANY_OPSET = (1, 10_000)

COMMUTATIVE = frozenset(
    {"Add", "Mul", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "Equal", "BitwiseAnd", "BitwiseOr", "BitwiseXor"}
)
"""Operators whose two inputs may be swapped (ONNX operator spec)."""


@dataclass(frozen=True)
class PatternNode:
    """One node of a pattern or a replacement.

    `literals` are attributes with a value, `captures` maps an attribute's name to the name after `@`.
    """

    domain: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    literals: Mapping[str, onnx.AttributeProto]
    captures: Mapping[str, str]
    proto: onnx.NodeProto

    @property
    def is_constant(self) -> bool:
        """Whether this is a Constant: in a pattern it matches any constant of equal values."""
        return self.op_type == "Constant" and not self.domain


@dataclass(frozen=True)
class Rewrite:
    """A pattern, its condition and its replacement.

    The last node of the pattern is its root.  `results` are the pattern's values that the replacement makes again;
    all other values made inside a match may be used nowhere else.  `optional` inputs may be absent; the `variadic`
    name stands for all remaining inputs of its node, the `variadic_outputs` name for all remaining outputs;
    attributes in `ignore` may have any value and are dropped.
    `lets` are computed values: attributes (`@name`) or new initializers (`name`) of the replacement.
    """

    pattern: tuple[PatternNode, ...]
    replacement: tuple[PatternNode, ...]
    results: tuple[str, ...]
    where: Expression | None = None
    lets: tuple[tuple[str, Expression], ...] = ()
    optional: frozenset[str] = frozenset()
    variadic: str = ""
    variadic_outputs: str = ""
    ignore: frozenset[str] = frozenset()

    @property
    def root(self) -> PatternNode:
        """The node that a search starts from."""
        return self.pattern[-1]

    @cached_property
    def maker(self) -> dict[str, tuple[int, int]]:
        """(position of the node, place among its outputs) of each value that the pattern's nodes make."""
        nodes = enumerate(self.pattern)
        return {name: (position, slot) for position, node in nodes for slot, name in enumerate(node.outputs) if name}

    @cached_property
    def root_makers(self) -> tuple[tuple[int, tuple[str, str]], ...]:
        """(place among the root's inputs, (operator, domain) of the node of the pattern that makes it)."""
        makers = ((place, self.maker.get(name)) for place, name in enumerate(self.root.inputs))
        nodes = [(place, self.pattern[made[0]]) for place, made in makers if made]
        return tuple((place, (node.op_type, node.domain)) for place, node in nodes if not node.is_constant)

    @cached_property
    def made(self) -> frozenset[str]:
        """The values that the pattern's nodes make, constants left out."""
        return frozenset(name for node in self.pattern if not node.is_constant for name in node.outputs if name)


class Match(NamedTuple):
    """Where a rewrite fits.

    `nodes` maps pattern positions to node indexes; `values` pattern names to value names ("" when absent);
    `attributes` the names after `@` to attributes (None when the node and the schema give none); `rest` and
    `rest_outputs` are the values behind the variadic names.
    """

    nodes: Mapping[int, int]
    values: Mapping[str, str]
    attributes: Mapping[str, onnx.AttributeProto | None]
    rest: tuple[str, ...] = ()
    rest_outputs: tuple[str, ...] = ()
    lets: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Mismatch:
    """Why a rewrite does not fit; `matched` tells how many of its nodes did."""

    reason: str
    matched: int = 0


@dataclass(frozen=True)
class Example:
    """A model as ONNX text, and the same model repaired; without `after` the rule must leave it alone.

    `reports` is a part of the message of a finding that nothing can repair; without it and `after` the rule must be
    silent.  `opset` asks for a conversion to that version, as `--opset` does.  `baseline` is false when no runtime
    takes the model before, so that there are no numbers to compare; `note` then says why.  `request` asks for changes
    to the interface: `freeze`, `shapes`, `dynamic_batch` and `cut`, as for onnxfix.repair.  `target` is a name such as
    "jetson-nano"; without it some target that the rule is for is meant."""

    before: str
    after: str | None = None
    note: str = ""
    opset: int | None = None
    reports: str = ""
    baseline: bool = True
    request: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""


@dataclass(frozen=True)
class Parameter:
    """What a rule file may give an action: `kind` is int, bool, str, list for a list of texts, or dict for
    a table of texts."""

    kind: type
    required: bool

    def takes(self, value: Any) -> bool:
        """Whether a value of a rule file is of the kind; true and false are no numbers."""
        if isinstance(value, list):
            return self.kind is list and all(isinstance(item, str) for item in value)
        if isinstance(value, dict):
            return self.kind is dict and all(isinstance(item, str) for item in value.values())
        return type(value) is self.kind


@dataclass(frozen=True)
class TargetRange:
    """For which targets a rule is: a track ("trt", "rtx" or "" for both) and releases from … up to, not including,
    before …"""

    track: str = ""
    since: str = ""
    before: str = ""

    def covers(self, track: str, release: str) -> bool:
        """Whether a release such as "8.6" of a track lies in the range."""
        version = _numbers(release)
        return (
            self.track in ("", track)
            and (not self.since or version >= _numbers(self.since))
            and (not self.before or version < _numbers(self.before))
        )


class Body(NamedTuple):
    """The larger part of a rule file, which a run needs of a few rules."""

    why: str = ""
    safety: str = ""
    rewrites: tuple[Rewrite, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One file of rules/.  Either `rewrites` or `action` is given.

    `opset` is the range of the default domain's version in which the rule looks at a scope.  A rule with `step`
    (from, to) is no finding of its own: it is one step of an opset conversion.  One with `only_refused` looks at
    nodes that the target refuses, and at no other.  `kind` is that of its errors.  `read` gives the rest of the
    file when it is wanted.
    """

    code: str
    name: str
    family: str
    source: str
    level: Level
    applicability: Applicability
    summary: str
    opset: tuple[int, int] = ANY_OPSET
    target: TargetRange | None = None
    read: Callable[[], Body] = field(default=Body, repr=False, compare=False)
    action: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    step: tuple[int, int] | None = None
    only_refused: bool = False
    kind: Kind = "defect"

    @cached_property
    def body(self) -> Body:
        """Prose, rewrites and examples, in the order of the file.  Raises RuleError for a mistake in them."""
        return self.read()

    @property
    def why(self) -> str:
        """What fails, since when: Markdown."""
        return self.body.why

    @property
    def safety(self) -> str:
        """Why the repair is safe, or is not: Markdown."""
        return self.body.safety

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        """The rewrites; () where there is an action."""
        return () if self.action else self.body.rewrites

    @property
    def examples(self) -> tuple[Example, ...]:
        """The examples."""
        return self.body.examples


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("-")[0].split("."))
