"""Making the target accept a model: ask it what it refuses, rewrite that, ask again."""

from __future__ import annotations

from onnxfix.legalise.asking import Answer, answer_of
from onnxfix.legalise.known import known_refusals
from onnxfix.legalise.loop import Attempt, legalise

__all__ = ["Answer", "Attempt", "answer_of", "known_refusals", "legalise"]
