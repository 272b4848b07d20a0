"""Reports as JSON: docs/json.md lists the fields."""

from __future__ import annotations

import json
import math
import sys
from typing import Any


def write(document: Any) -> None:
    """Print a document of JSON types.  Keys keep the order of the record; the output is ASCII.

    Infinite numbers and NaN, which JSON lacks, become the texts "inf", "-inf" and "nan".
    """
    sys.stdout.write(json.dumps(_finite(document), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
