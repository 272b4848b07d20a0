"""Devices by the names people and tools have for them: `orin-nano`, `rtx4090`, `Tesla T4`, `NVIDIA A100-SXM4-80GB`."""

from __future__ import annotations

import re

from onnxfix.targets.devices import devices

_FAMILIES = frozenset(("nvidia", "jetson", "tesla", "geforce", "dgx"))
"""Words before the name proper, which people leave out or put in."""
_BOARDS = frozenset(("jetson", "dgx"))
_VARIANT = re.compile(r"developer|kit|gpu|laptop|super|module|pcie|sxm\d?|nvl|hbm\d?e?|\d+gi?b")
"""Words that tell memory, slot or packaging: the chip is the same."""
_SERIES = re.compile(r"rtx([345]0)[5-9]0(?:ti|d)*")
"""GeForce RTX 30, 40 and 50: the models of a series have one compute capability (devices.yaml)."""


def device_meant(words: str) -> str | None:
    """The device of the fact base that `words` (lower case, joined by `-`) mean; None for none, or for several.

    Two devices of which the fact base says the same count as one, the first.
    """
    asked = [word for word in words.split("-") if not _VARIANT.fullmatch(word)]
    own = _compact(asked)
    if series := _SERIES.fullmatch(own):
        return f"geforce-rtx-{series[1]}"
    same = [name for name in devices() if own and _compact(name.split("-")) == own]
    return _only(same or [name for name in devices() if _part_of(asked, name)])


def _compact(words: list[str]) -> str:
    return "".join(word for word in words if word not in _FAMILIES)


def _part_of(asked: list[str], name: str) -> bool:
    """Whether the words are some of a board's, in any order, and more than its family."""
    words = name.split("-")
    return words[0] in _BOARDS and bool(_compact(asked)) and set(asked) - {"nvidia"} <= set(words)


def _only(names: list[str]) -> str | None:
    return names[0] if names and all(devices()[name] == devices()[names[0]] for name in names) else None
