"""The types of the fixtures in conftest.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onnxfix.engine.execute import Engine

Plan = Callable[..., Path]
Open = Callable[..., Engine]
