"""The entries of data/advice, one room after the other."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, get_args

from onnxfix.targets.cuda import cuda_pattern
from onnxfix.targets.tables import AdviceName, table

_CUDA = re.compile(r"\{cuda:(\w+)\}")


@cache
def advice_entries() -> tuple[dict[str, Any], ...]:
    """Every entry, `match` with the names of CUDA's errors written out."""
    rooms = get_args(AdviceName)
    return tuple(_written_out(entry) for room in rooms for entry in table(room)["entries"])


def _written_out(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "match": _CUDA.sub(lambda found: cuda_pattern(found[1]), entry["match"])}
