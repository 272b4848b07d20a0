"""What two models compute on the same inputs: their outputs, and the first node where they part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from onnxfix.changes.models import Compared
from onnxfix.errors import OnnxfixError
from onnxfix.model import Model, save
from onnxfix.model.inference import typed_scopes
from onnxfix.model.types import from_value_info
from onnxfix.scratch import scratch
from onnxfix.verify.compare import Figures
from onnxfix.verify.inputs import input_specs
from onnxfix.verify.layers import chunks
from onnxfix.verify.numeric import draws
from onnxfix.verify.oracle import WAYS
from onnxfix.verify.sizes import levels
from onnxfix.verify.twins import Twinned, Twins, compare_twins, wrong
from onnxfix.verify.values import recorded_inputs

Progress = Callable[[str], object]
Numbers = dict[str, Any]


def compare_numbers(
    compared: Compared, inputs: Path | None = None, *, timeout: float = 600.0, progress: Progress = str
) -> Numbers:
    """Run both models on seeded inputs, or on those of a .npz file, and compare every output that both have.

    Where outputs differ, the values that matched nodes make are compared in the order of the nodes until one differs.
    Gives `outcome` ("passed", "failed" or "not_verified"), `reason`, `oracles`, `sizes`, `outputs`, `values` (how many
    values inside were compared) and `first` (the first that differs, with its node).  `timeout` is in seconds, for
    each run.  Raises OnnxfixError when `inputs` does not fit the first model.
    """
    pairs = _outputs(compared)
    if not pairs:
        return _unverified("there is no output that both models have")
    with scratch() as folder:
        paths = [_file(model, Path(folder, name)) for model, name in ((compared.one, "a"), (compared.two, "b"))]
        try:
            job = _job(compared, paths, pairs, inputs)
        except OnnxfixError as error:
            if inputs:
                raise
            return _unverified(str(error))
        progress("running both models")
        found = compare_twins(job, timeout)
        if found.reason:
            return _unverified(found.reason)
        numbers = _numbers(found)
        if numbers["outcome"] == "failed":
            search = _Search(compared, replace(job, choices=(found.choice,), ways=WAYS[1:]), timeout, progress)
            numbers |= search.run(found.choice[0])
    return numbers


@dataclass
class _Search:
    """The way to the first value that differs."""

    compared: Compared
    job: Twins
    timeout: float
    progress: Progress
    values: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def run(self, sizes: Mapping[str, int]) -> Numbers:
        """The chunks in the order of the nodes, until a value differs."""
        names = dict(_inside(self.compared))
        scope = typed_scopes(self.compared.two)[0][0]
        known = [name for name in names if scope.type_of(name).kind == "tensor" and scope.type_of(name).dtype]
        told = set(known)
        self.skipped = [(name, "it is no tensor, or of unknown type") for name in names if name not in told]
        first: Numbers | None = None
        for chunk in chunks(known, scope, sizes, growing=True):
            self.progress(f"comparing values ({self.values} of {len(known)})")
            differing = wrong(self._figures([(names[name], name) for name in chunk]))
            if differing:
                first = self._first(differing[0])
                break
        return {"values": self.values, "first": first, "skipped": self.skipped}

    def _figures(self, pairs: Sequence[tuple[str, str]]) -> list[Figures]:
        """The figures of the pairs; where they cannot be had together, one half after the other."""
        found = compare_twins(replace(self.job, pairs=tuple(pairs)), self.timeout)
        if not found.reason:
            self.values += len(pairs)
            return list(found.figures)
        if len(pairs) == 1:
            self.skipped.append((pairs[0][1], found.reason))
            return []
        half = len(pairs) // 2
        return self._figures(pairs[:half]) + self._figures(pairs[half:])

    def _first(self, figure: Figures) -> Numbers:
        scope = self.compared.main.two.scope
        node = scope.nodes[scope.producer[figure.name][0]]
        return {"node": node.name, "op_type": node.op_type, **asdict(figure)}


def _job(compared: Compared, paths: Sequence[Path], pairs: tuple[tuple[str, str], ...], inputs: Path | None) -> Twins:
    main = compared.main
    numbered = {number: name for name, number in main.one.inputs.items()}
    names = {name: numbered[number] for name, number in main.two.inputs.items() if number in numbered}
    new = sorted(main.two.inputs.keys() - names.keys())
    if new:
        raise OnnxfixError(f"input {new[0]!r} of the second model is new, so both cannot run on the same inputs")
    types = [
        {value.name: from_value_info(value).dtype for value in m.proto.graph.input}
        for m in (compared.one, compared.two)
    ]
    dtypes = {name: types[1][name] for name, old in names.items() if types[0][old] != types[1][name]}
    job = Twins(str(paths[0]), str(paths[1]), pairs, names, dtypes, draws=draws(compared.one))
    if inputs:
        return replace(job, given=recorded_inputs(inputs, compared.one))
    specs = tuple(input_specs(compared.one))
    choices = tuple((level[0], gentle) for gentle in (False, True) for level in levels(specs, {}))
    return replace(job, specs=specs, choices=choices)


def _outputs(compared: Compared) -> tuple[tuple[str, str], ...]:
    ones = {number: name for number, name, _ in compared.main.one.results}
    return tuple((ones[number], name) for number, name, _ in compared.main.two.results if number in ones)


def _inside(compared: Compared) -> Iterator[tuple[str, str]]:
    """The values that matched nodes make: (name in the second model, name in the first), in running order."""
    one, two, pairs = compared.main.one, compared.main.two, compared.main.pairs
    for b in two.order:
        if b in pairs.right:
            old, new = one.scope.nodes[pairs.right[b]], two.scope.nodes[b]
            yield from ((y, x) for x, y in zip(old.output, new.output, strict=False) if x and y)


def _file(model: Model, folder: Path) -> Path:
    if model.path:
        return model.path.absolute()
    folder.mkdir()
    save(model, folder / "model.onnx")
    return folder / "model.onnx"


def _numbers(found: Twinned) -> Numbers:
    differing = wrong(found.figures)
    largest = max((figure.max_diff for figure in found.figures), default=0.0)
    outcome, reason = "passed", f"the outputs are equal (max |diff| {largest:.3g})"
    if differing:
        outcome = "failed"
        reason = f"{len(differing)} of {len(found.figures)} outputs differ: {differing[0].name!r}: {differing[0].why}"
    elif found.random:
        outcome, reason = "not_verified", f"random outputs have no baseline: {', '.join(found.random)}"
    return {
        "outcome": outcome,
        "reason": reason,
        "oracles": list(found.oracles),
        "sizes": found.choice[0],
        "outputs": [asdict(figure) for figure in found.figures],
        "random": list(found.random),
        "values": 0,
        "first": None,
        "skipped": [],
    }


def _unverified(reason: str) -> Numbers:
    empty = {"oracles": [], "sizes": {}, "outputs": [], "random": [], "values": 0, "first": None, "skipped": []}
    return {"outcome": "not_verified", "reason": reason, **empty}
