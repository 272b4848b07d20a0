"""The checks that onnxfix brings: the parser, the builder, numbers, or NaN. A crash is a failure like others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from onnxfix import sandbox
from onnxfix.engine import EngineError
from onnxfix.engine.parse import parse
from onnxfix.engine.run import why_not
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.answers import Answer
from onnxfix.isolate.flow import Flow
from onnxfix.legalise.locate import located
from onnxfix.model import Model
from onnxfix.model.inference import typed_scopes
from onnxfix.verify.compare import Figures
from onnxfix.verify.difference import Difference
from onnxfix.verify.engine_run import compare_engine
from onnxfix.verify.fitting import build_fitting
from onnxfix.verify.inputs import input_specs
from onnxfix.verify.numeric import draws
from onnxfix.verify.ranges import watch
from onnxfix.verify.sizes import levels
from onnxfix.verify.values import seeded
from onnxfix.verify.watched import Watch


class Check(Protocol):
    """Looks at a candidate, which lies in the file `path`."""

    @property
    def title(self) -> str:
        """What it does, in a few words."""
        ...

    def __call__(self, path: Path, model: Model) -> Answer:
        """The answer for a candidate."""
        ...


@dataclass(frozen=True)
class Engine:
    """TensorRT's parser ("parse"), or parser and builder ("build"); a refusal counts by its kind and operator."""

    kind: Literal["parse", "build"]
    flavour: str | None = None
    timeout: float = 300.0

    @property
    def title(self) -> str:
        """The check's own name."""
        return self.kind

    def __call__(self, path: Path, model: Model) -> Answer:
        """Parses and builds, in the sandbox. Raises OnnxfixError without TensorRT."""
        try:
            errors = parse(path, self.flavour, self.timeout) if self.kind == "parse" else self._build(path)
        except sandbox.SandboxCrash as crash:
            return Answer(f"crashed {crash.signal}", str(crash))
        except sandbox.SandboxTimeout as late:
            return Answer("timeout", str(late))
        if not errors:
            return Answer()
        first = errors[0]
        refused, unbuilt = located(typed_scopes(model)[0], [asdict(first)])
        places = tuple((scope.label, index) for scope, index, _ in (*refused, *unbuilt))
        return Answer(f"{first.stage} {first.code} {first.op_type} {_kind(first.message)}", first.message, places)

    def _build(self, path: Path) -> tuple[EngineError, ...]:
        result = build_fitting(path, flavour=self.flavour, timeout=self.timeout)
        if result.outcome == "crashed":
            raise sandbox.SandboxCrash("the build", result.signal)
        if result.outcome == "timeout":
            raise sandbox.SandboxTimeout("the build", self.timeout)
        return () if result.built else result.errors


@dataclass
class Numeric:
    """Whether two runtimes compute different outputs: the engine and ONNX Runtime where engines can run.

    Elsewhere ONNX Runtime and the reference evaluator of onnx.  Candidates are fed seeded inputs or, with `flow`, what
    flows at their borders in the whole model.
    """

    timeout: float = 300.0
    flow: Flow | None = None

    @property
    def title(self) -> str:
        """The check's own name."""
        return "numeric"

    def __call__(self, path: Path, model: Model) -> Answer:
        """Runs both on the same inputs."""
        feeds = self.flow.values([value.name for value in model.proto.graph.input]) if self.flow else None
        if self.flow and feeds is None:
            return Answer()
        return self._here(path, model, feeds) if why_not() else self._engine(path, feeds)

    def _engine(self, path: Path, feeds: Mapping[str, Any] | None) -> Answer:
        found = compare_engine(path, inputs=feeds, timeout=self.timeout)
        if found.failure:
            return Answer(f"does not run {_kind(found.failure)}", found.failure)
        refusal = "" if found.build.built else "TensorRT refuses it"
        return _differing(found.wrong, "the engine against ONNX Runtime", refusal or found.unproven)

    def _here(self, path: Path, model: Model, feeds: Mapping[str, Any] | None) -> Answer:
        try:
            choices = [feeds] if feeds is not None else _choices(model)
            names = [value.name for value in model.proto.graph.output]
            function = "onnxfix.isolate.runs:disagreements"
            found = sandbox.default().call(function, str(path), names, choices, draws(model), timeout=self.timeout)
        except sandbox.SandboxCrash as crash:
            return Answer(f"crashed {crash.signal}", f"it crashes a runtime: {crash.signal}")
        except OnnxfixError as error:  # it has no baseline: nothing is known to be wrong
            return Answer(message=str(error))
        return _differing(found, "from the reference evaluator of onnx to ONNX Runtime")


def _choices(model: Model) -> list[dict[str, Any]]:
    """Seeded inputs, and gentle ones for a model that does not take them. Raises OnnxfixError."""
    specs = input_specs(model)
    sizes = next(levels(specs, {}))[0]
    return [dict(seeded(specs, sizes, 0, gentle=gentle)) for gentle in (False, True)]


def _differing(wrong: Sequence[Difference | Figures], runtimes: str, reason: str = "") -> Answer:
    """The answer for outputs that differ; `reason` is why that cannot be said."""
    if not wrong:
        return Answer(message=reason)
    said = f"output {wrong[0].name!r}: {wrong[0].why} ({runtimes})"
    return Answer("numeric", said, figures=tuple(asdict(item) for item in wrong))


@dataclass
class Finite:
    """Whether a node makes NaN where it reads none, or infinity where it reads none.

    Candidates are fed what flows at their borders in the whole model.  `place` is the path to it where it is a graph
    that was inside a node.
    """

    flow: Flow
    timeout: float = 300.0
    place: str = ""

    @property
    def title(self) -> str:
        """The check's own name."""
        return "nan"

    def __call__(self, path: Path, model: Model) -> Answer:  # noqa: ARG002
        """Watches every value of a candidate."""
        feeds = self.flow.values([value.name for value in model.proto.graph.input])
        if feeds is None:
            return Answer()
        try:
            found: Watch = watch(model, feeds, timeout=self.timeout)
        except sandbox.SandboxCrash as crash:
            return Answer(f"crashed {crash.signal}", f"it crashes ONNX Runtime: {crash.signal}")
        except OnnxfixError:
            return Answer()
        if found.first is None:
            return Answer()
        first = found.first
        name = "/".join(filter(None, (self.place, first.name)))
        figures = ({**asdict(first), "name": name},)
        return Answer(first.flaw, f"{name!r} holds {first.flaw}", ((first.scope, first.index),), figures)


def _kind(message: str) -> str:
    """A message without what changes from model to model: names, numbers, places."""
    text = re.sub(r"[\"'`][^\"'`]*[\"'`]|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)", "", message)
    text = re.sub(r"\S*[\d_/]\S*", "", text)
    return " ".join(text.split())[:200]
