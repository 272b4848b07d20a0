"""The parameters that a rule file may give an action, read from the action's own signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from onnxfix.rewrite.rule import Parameter


def parameters_of(action: Callable[..., Any]) -> dict[str, Parameter]:
    """The parameters behind the context, by name."""
    _, *others = inspect.signature(action, eval_str=True).parameters.values()
    return {p.name: Parameter(_kind(p.annotation), required=p.default is p.empty) for p in others}


def _kind(annotation: Any) -> type:
    """`int | None` is read as int, `Sequence[str]` as list, `Mapping[str, str]` as dict."""
    if get_origin(annotation) is Mapping:
        return dict
    options = [option for option in get_args(annotation) if option is not type(None)]
    if get_origin(annotation) is not None and options == [str]:
        return list
    kind: type = options[0] if options else annotation
    return kind
