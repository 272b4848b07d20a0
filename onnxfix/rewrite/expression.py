"""The language of a rule's conditions and computed values: small, total, and unable to do harm.

It is the expression part of Python's syntax, read by Python's parser and evaluated here: literals, arithmetic,
comparisons, and/or/not, `a if c else b`, subscripts, lists, comprehensions over lists, and the functions of
onnxfix.rewrite.functions.  There are no attributes, no assignments, no loops without end, no powers and no text
formatting; a tuple is a list.  An evaluation may take 20,000 steps and handle 1,000,000 items, a list may hold
100,000 items (those of the lists inside it count), and integers stay below 2**64.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_SOURCE = 2_000
MAX_DEPTH = 60
MAX_STEPS = 20_000
MAX_ITEMS = 100_000
MAX_WORK = 1_000_000

Functions = Mapping[str, Callable[..., Any]]


class ExpressionError(ValueError):
    """The text is no expression of this language; raised when the rule is loaded."""


class Unknown(Exception):
    """The value cannot be known for this model (an unknown shape, a value that is not constant, a division by 0)."""


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Is: lambda a, b: a is b,
    ast.IsNot: lambda a, b: a is not b,
}
_ALLOWED = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Compare, ast.IfExp),
    *(ast.Call, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Subscript, ast.Slice, ast.List, ast.Tuple),
    *(ast.ListComp, ast.GeneratorExp, ast.comprehension, *_BINARY, *_COMPARE),
)
_REFUSED = (TypeError, ValueError, IndexError, KeyError, ZeroDivisionError, OverflowError)


@dataclass(frozen=True)
class Expression:
    """A parsed expression; `names` are the free names that a binding must give."""

    source: str
    tree: ast.expr
    names: frozenset[str]

    def evaluate(self, functions: Functions, names: Mapping[str, Any]) -> Any:
        """The value; raises Unknown where this model does not let it be known."""
        try:
            return _Evaluation(functions).value(self.tree, names)
        except _REFUSED as error:
            raise Unknown(f"{self.source!r}: {error}") from None


def parse_expression(source: str, functions: Functions) -> Expression:
    """Parse and check an expression.  Raises ExpressionError with the cause and the column."""
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"longer than {MAX_SOURCE} characters")
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"not an expression: {getattr(error, 'msg', error)}") from None
    return Expression(source, tree.body, frozenset(_free(tree.body, functions)))


def _free(node: ast.AST, functions: Functions, depth: int = 0) -> set[str]:
    """The free names of a node, which is checked on the way."""
    if depth > MAX_DEPTH:
        raise ExpressionError(f"nested deeper than {MAX_DEPTH}")
    _check(node, functions)
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Call):
        return {name for argument in node.args for name in _free(argument, functions, depth + 1)}
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        names: set[str] = _free(node.elt, functions, depth + 1)
        for generator in reversed(node.generators):
            _check(generator, functions)
            inner = (_free(condition, functions, depth + 1) for condition in generator.ifs)
            names = names.union(*inner) - _free(generator.target, functions, depth + 1)
            names |= _free(generator.iter, functions, depth + 1)
        return names
    return {name for child in ast.iter_child_nodes(node) for name in _free(child, functions, depth + 1)}


def _check(node: ast.AST, functions: Functions) -> None:
    where = f" at column {node.col_offset + 1}" if isinstance(node, ast.expr) else ""
    if not isinstance(node, _ALLOWED):
        raise ExpressionError(f"{type(node).__name__} is not part of the language{where}")
    if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str | None):
        raise ExpressionError(f"the constant {node.value!r} is not part of the language{where}")
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name):
            raise ExpressionError(f"only functions can be called{where}")
        if node.func.id not in functions:
            raise ExpressionError(f"unknown function {node.func.id}{where}; there are: {', '.join(functions)}")
        if node.keywords:
            raise ExpressionError(f"functions take no keyword arguments{where}")
    if isinstance(node, ast.comprehension) and (node.is_async or not isinstance(node.target, ast.Name)):
        raise ExpressionError("a comprehension binds one name")


class _Evaluation:
    """One evaluation with its own budget of steps and items."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.steps = 0
        self.work = 0

    def value(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        """The value of a node, charged to the budget."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Unknown(f"more than {MAX_STEPS} steps")
        result = self._value(node, names)
        named = isinstance(node, ast.Name) and isinstance(result, str)  # a value of the model, however long its name
        self.work += 1 if named else size_of(result)
        if self.work > MAX_WORK:
            raise Unknown(f"more than {MAX_WORK} items")
        return result

    def _value(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                if node.id not in names:
                    raise Unknown(f"{node.id} has no value yet")
                return names[node.id]
            case ast.BoolOp():
                return self._logic(node, names)
            case ast.UnaryOp():
                operand = self.value(node.operand, names)
                return not operand if isinstance(node.op, ast.Not) else -operand
            case ast.BinOp():
                return _computed(node.op, self.value(node.left, names), self.value(node.right, names))
            case ast.Compare():
                return self._comparison(node, names)
            case ast.IfExp():
                return self.value(node.body if self.value(node.test, names) else node.orelse, names)
            case ast.Call(func=ast.Name(id=function)):
                return self.functions[function](*(self.value(argument, names) for argument in node.args))
            case ast.Subscript():
                return self._item(node, names)
            case ast.List() | ast.Tuple():
                return [self.value(item, names) for item in node.elts]
            case ast.ListComp() | ast.GeneratorExp():
                return self._comprehension(node, names)
        raise AssertionError(f"{type(node).__name__} passed the check of parse_expression")

    def _logic(self, node: ast.BoolOp, names: Mapping[str, Any]) -> Any:
        decides = isinstance(node.op, ast.Or)
        for operand in node.values[:-1]:
            result = self.value(operand, names)
            if bool(result) == decides:
                return result
        return self.value(node.values[-1], names)

    def _comparison(self, node: ast.Compare, names: Mapping[str, Any]) -> bool:
        left = self.value(node.left, names)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node, names)
            if not _COMPARE[type(op)](left, right):
                return False
            left = right
        return True

    def _item(self, node: ast.Subscript, names: Mapping[str, Any]) -> Any:
        items = self.value(node.value, names)
        if not isinstance(node.slice, ast.Slice):
            return items[self.value(node.slice, names)]
        bounds = [node.slice.lower, node.slice.upper, node.slice.step]
        return items[slice(*(None if bound is None else self.value(bound, names) for bound in bounds))]

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, names: Mapping[str, Any]) -> list[Any]:
        """As in Python: the first list belongs to the surroundings, the names of all loops to the comprehension."""
        results: list[Any] = []
        own = {generator.target.id for generator in node.generators if isinstance(generator.target, ast.Name)}
        outside = {name: value for name, value in names.items() if name not in own}

        def walk(depth: int, inner: Mapping[str, Any]) -> None:
            if depth == len(node.generators):
                results.append(self.value(node.elt, inner))
                return
            generator = node.generators[depth]
            assert isinstance(generator.target, ast.Name)
            for item in self.value(generator.iter, inner if depth else names):
                bound = {**inner, generator.target.id: item}
                if all(self.value(condition, bound) for condition in generator.ifs):
                    walk(depth + 1, bound)

        walk(0, outside)
        return results


def _computed(op: ast.operator, left: Any, right: Any) -> Any:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if not numbers and not isinstance(op, ast.Add):
        raise Unknown(f"{type(op).__name__} is for numbers; there is repeat(list, count)")
    return _BINARY[type(op)](left, right)


def size_of(value: Any) -> int:
    """How many items a value holds, those of inner lists included; texts by length.  Raises Unknown when too large."""
    if isinstance(value, int) and abs(value) >= 2**64:
        raise Unknown("an integer of 2**64 or more")
    if not isinstance(value, list | str):
        return 1
    count, todo = 1, [value]
    while todo:
        items = todo.pop()
        count += len(items)
        if count > MAX_ITEMS + 1:
            raise Unknown(f"a list of more than {MAX_ITEMS} items")
        todo += [item for item in items if isinstance(item, list)] if isinstance(items, list) else []
    return count
