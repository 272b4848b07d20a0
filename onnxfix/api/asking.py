"""The target's own library, asked about models within a limit of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from onnxfix.api.proof import candidate_file
from onnxfix.engine import Flavour
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome
from onnxfix.records import Check
from onnxfix.verify.engine import is_installed, verify_engine, verify_fitting

ASK_LIMIT = 300.0
"""Seconds that the library may take for one model and what its repair comes to, if nothing else is said.  A build takes
TensorRT-RTX 1.7.1 about four times as long for twice the nodes (onnxfix.model.patience): no limit is enough for every
model."""


@dataclass
class Library:
    """The library that `options.target` names; `seconds` is how long all its answers together may still take."""

    options: Options
    seconds: float = ASK_LIMIT
    progress: Callable[[str], object] = str

    @property
    def present(self) -> bool:
        """Whether it is on this machine and has time left."""
        return self.seconds > 0 and self.options.target is not None and is_installed(self.options.target)

    def says(self, outcome: Outcome) -> Check:
        """Its parser's and builder's word on a model; not verified when the time is up."""
        return self._asked(outcome, partial(verify_engine, target=self.options.target, run=False))

    def fits(self, outcome: Outcome, refused: Check) -> Check:
        """Its word on a refused model for sizes that fit it; `refused` where that is not better, or the time is up."""
        asked = partial(verify_fitting, refused=refused, target=self.options.target, run=False)
        check = self._asked(outcome, asked)
        return refused if check.outcome == "not_verified" else check

    def _asked(self, outcome: Outcome, ask: Callable[..., Check]) -> Check:
        limit, started = self.seconds, time.monotonic()
        if limit <= 0:
            return Check("engine", "not_verified", "the target was not asked again: its time was up")
        self.progress(f"asking the target (at most {limit:.0f} s)")
        with candidate_file(outcome, None) as file:
            check = ask(file.path, timeout=limit)
        self.seconds -= time.monotonic() - started
        return replace(check, reason=_unanswered(check, limit)) if check.details.get("outcome") == "timeout" else check


def _unanswered(check: Check, limit: float) -> str:
    """What a library told that was stopped: its parser comes before its builder."""
    title, stage = Flavour(**check.details["flavour"]).title, check.details["errors"][0]["stage"]
    silent = "takes the model, its builder gave" if stage == "build" else "gave"
    rest = "what is told here comes of rules and facts (--ask-limit SECONDS lets it take longer)"
    return f"the parser of {title} {silent} no answer within {limit:.0f} s; {rest}"
