"""What changed between two models: nodes matched by what they compute, names only as a hint."""

from __future__ import annotations
