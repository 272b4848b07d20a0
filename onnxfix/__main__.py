"""`onnxfix` and `python -m onnxfix`."""

from __future__ import annotations

import sys

from onnxfix.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
