"""Reports as JSON: docs/json.md lists the fields."""

from __future__ import annotations

import json
import sys
from typing import Any

from onnxfix.records import finite


def write(document: Any) -> None:
    """Print a document of JSON types.  Keys keep the order of the record; the output is ASCII.

    Infinite numbers and NaN, which JSON lacks, become the texts "inf", "-inf" and "nan".
    """
    sys.stdout.write(json.dumps(finite(document), indent=2, allow_nan=False) + "\n")
