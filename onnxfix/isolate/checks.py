"""The checks that onnxfix brings: the parser, the builder, numbers, or NaN. A crash is a failure like others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from onnxfix import engine, sandbox
from onnxfix.engine import EngineError
from onnxfix.engine.parse import parse
from onnxfix.engine.run import why_not
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.answers import Answer
from onnxfix.legalise.locate import located
from onnxfix.model import Model
from onnxfix.model.inference import typed_scopes
from onnxfix.verify.engine_run import compare_engine
from onnxfix.verify.inputs import input_specs
from onnxfix.verify.ranges import watch
from onnxfix.verify.sizes import levels
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
        result = engine.build(path, flavour=self.flavour, timeout=self.timeout)
        if result.outcome == "crashed":
            raise sandbox.SandboxCrash("the build", result.signal)
        if result.outcome == "timeout":
            raise sandbox.SandboxTimeout("the build", self.timeout)
        return () if result.built else result.errors


@dataclass
class Numeric:
    """Whether two runtimes compute different outputs: the engine and ONNX Runtime where engines can run.

    Elsewhere ONNX Runtime and the reference evaluator of onnx.
    """

    timeout: float = 300.0

    @property
    def title(self) -> str:
        """The check's own name."""
        return "numeric"

    def __call__(self, path: Path, model: Model) -> Answer:
        """Runs both on seeded inputs."""
        if not why_not():
            found = compare_engine(path, timeout=self.timeout)
            wrong = next(iter(found.wrong), None)
            return Answer("numeric", f"output {wrong.name!r}: {wrong.why}") if wrong else Answer()
        try:
            specs = input_specs(model)
            sizes = next(levels(specs, {}))
            names = [value.name for value in model.proto.graph.output]
            function = "onnxfix.isolate.runs:disagreement"
            why = sandbox.default().call(function, str(path), names, specs, sizes[0], timeout=self.timeout)
        except sandbox.SandboxCrash as crash:
            return Answer(f"crashed {crash.signal}", f"it crashes a runtime: {crash.signal}")
        except OnnxfixError as error:  # it has no baseline: nothing is known to be wrong
            return Answer(message=str(error))
        return Answer("numeric", why) if why else Answer()


@dataclass
class Finite:
    """Whether NaN or infinity comes out of finite inputs.

    Candidates are fed what flows at their borders in the whole model, whose inputs are `feeds`.  `place` is the path to
    it where it is a graph that was inside a node.
    """

    whole: Model
    feeds: Mapping[str, Any]
    timeout: float = 300.0
    place: str = ""
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The check's own name."""
        return "nan"

    def __call__(self, path: Path, model: Model) -> Answer:  # noqa: ARG002
        """Watches every value of a candidate."""
        feeds = self.values([value.name for value in model.proto.graph.input])
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
        return Answer("not finite", f"{name!r} holds {first.flaw}", ((first.scope, first.index),))

    def values(self, names: list[str]) -> dict[str, Any] | None:
        """What the whole model computes for these values; None when some is unknown or not finite."""
        stored = {tensor.name for tensor in self.whole.proto.graph.initializer}
        missing = [name for name in names if name not in self.known and name not in self.feeds]
        if missing:
            try:
                self.known |= watch(self.whole, self.feeds, only=missing, want="arrays", timeout=self.timeout).arrays
            except OnnxfixError:
                return None
        every = {**self.feeds, **self.known}
        wanted = [name for name in names if name in every]
        if len(wanted) < len([name for name in names if name not in stored]):
            return None
        found = {name: every[name] for name in wanted}
        return found if all(_finite(array) for array in found.values()) else None


def _finite(array: Any) -> bool:
    import numpy as np

    return not np.issubdtype(getattr(array, "dtype", np.dtype(object)), np.floating) or bool(np.isfinite(array).all())


def _kind(message: str) -> str:
    """A message without what changes from model to model: names, numbers, places."""
    text = re.sub(r"[\"'`][^\"'`]*[\"'`]|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)", "", message)
    text = re.sub(r"\S*[\d_/]\S*", "", text)
    return " ".join(text.split())[:200]
