"""Opset conversion of whole models, up and down, proven node by node."""

from __future__ import annotations

CODE, NAME = "OFX500", "requested-opset"
"""The rule under which a report has what no step rule did."""
