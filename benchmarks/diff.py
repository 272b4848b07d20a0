"""Does `diff` find seeded edits, exactly those, and nothing else, and how fast is it?

    python -m benchmarks.diff [--rounds 20] [--sizes 5000,50000] [--gigabytes 20]

Each round makes one edit of each kind, or ten of mixed kinds, in a copy of a real model, and compares the copy with
the original.  An edit counts as found when the changes reported are the expected ones and no more.  Then every official
conformance model is compared with itself, generated models of each size are compared by the command (whole process),
and two models with that many gigabytes of external weights (sparse files), which differ in one value.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.edits import LOCAL, WHOLE, Edits, Expected
from onnxfix.changes.models import compare_models
from onnxfix.changes.records import Change
from onnxfix.model import load

TEN = ("ten", "ten, renamed")


def found(original: onnx.ModelProto, edits: Edits) -> str:
    """Why the changes are not the expected ones, or ""."""
    report = compare_models(load(original), load(edits.model))
    changes = [change for change in report.changes if change.kind not in ("renamed", "moved")]
    seen = Counter(_expectation(change, edits.expected) for change in changes)
    return "" if seen == edits.expected else f"expected {dict(edits.expected)}, found {dict(seen)}"


def _expectation(change: Change, expected: Expected) -> tuple[str, str]:
    """The expected edit that a change is, or the change itself."""
    for kind, word in expected:
        if kind == change.kind and (word in change.message or word == change.subject):
            return kind, word
    return change.kind, f"{change.subject}: {change.message}"


def models() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Real networks: a detector, and the whole models that onnx ships."""
    from benchmarks.cases import folder_cases
    from fixtures import darknet

    yield "yolov3", darknet.build("yolov3", width=0.05, ailments=False)
    for case in folder_cases():
        if case.kind in ("light",) and len(case.model.graph.node) > 30:
            yield case.name, case.model


def edited(model: onnx.ModelProto, kind: str, seed: int) -> Edits | None:
    """A model after the edits of a kind, None when it has no place for them."""
    edits = Edits(model, seed)
    if kind == TEN[1]:
        edits.rename()
        edits.reorder()
    wanted = [edits.random.choice(LOCAL) for _ in range(10)] if kind in TEN else [kind]
    return edits if sum(getattr(edits, word)() for word in wanted) else None


def edits_found(rounds: int) -> None:
    """Print the share of edits found, by kind."""
    tally: dict[str, list[str]] = defaultdict(list)
    for name, model in models():
        for seed in range(rounds):
            for kind in (*LOCAL, *WHOLE, *TEN):
                edits = edited(model, kind, seed)
                if edits is not None:
                    reason = found(model, edits)
                    tally[kind].append(reason and f"{name} {seed}: {reason}")
    for kind, results in tally.items():
        wrong = [reason for reason in results if reason]
        share = 100 * (1 - len(wrong) / len(results))
        print(f"{kind:12} {len(results) - len(wrong):5} of {len(results):5}  {share:.1f} %")
        for reason in wrong[:3]:
            print(f"    {reason[:400]}")


def same_with_itself() -> None:
    """Print how many of the official models have no change against themselves."""
    from benchmarks.cases import folder_cases, node_cases

    total, wrong = 0, []
    for case in (*node_cases(), *folder_cases()):
        total += 1
        copy = onnx.ModelProto.FromString(case.model.SerializeToString())
        if compare_models(load(case.model), load(copy)).changes:
            wrong.append(case.name)
    print(f"itself       {total - len(wrong):5} of {total:5}  {', '.join(wrong[:5])}")


def other_names() -> None:
    """Print whether networks with other names everywhere, in the interface too, are equal in structure."""
    count, wrong = 0, []
    for name, model in models():
        edits = Edits(model, 0)
        edits.rename()
        for number, value in enumerate((*edits.graph.input, *edits.graph.output)):
            _rename_value(edits.graph, value.name, f"value_{number}")
        report = compare_models(load(model), load(edits.model), ("names", "initializer-placement"))
        count += 1
        wrong += [name] if report.changes else []
    print(f"other names  {count - len(wrong):5} of {count:5}  {', '.join(wrong)}")


def _rename_value(graph: onnx.GraphProto, old: str, new: str) -> None:
    for names in (names for node in graph.node for names in (node.input, node.output)):
        names[:] = [new if name == old else name for name in names]
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = new if value.name == old else value.name
    for tensor in graph.initializer:
        tensor.name = new if tensor.name == old else tensor.name


def network(nodes: int, prefix: str = "") -> onnx.ModelProto:
    """A generated network of mixed operators with skip connections and a stored tensor for each product."""
    rng, choice = np.random.default_rng(0), random.Random(0)
    made, tensors, values = [], [], ["x"]
    for number in range(nodes):
        op_type = choice.choice(("Conv", "Relu", "Add", "MatMul", "Sigmoid", "Mul"))
        inputs = [values[-1]]
        if op_type in ("Conv", "MatMul"):
            inputs.append(f"{prefix}w{number}")
            tensors.append(numpy_helper.from_array(rng.normal(size=(4, 4)).astype(np.float32), inputs[-1]))
        elif op_type in ("Add", "Mul"):
            inputs.append(values[-choice.randint(1, min(6, len(values)))])
        made.append(helper.make_node(op_type, inputs, [f"{prefix}v{number}"], f"{prefix}n{number}"))
        values.append(made[-1].output[0])
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("x", values[-1])]
    graph = helper.make_graph(made, "g", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def speed(nodes: int) -> None:
    """Print how long the command takes for a network with other names and one other node."""
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder, "a.onnx"), Path(folder, "b.onnx")
        other = network(nodes, "other_")
        middle = next(node for node in other.graph.node[nodes // 2 :] if len(node.input) == 1)
        middle.op_type = "Tanh"
        onnx.save(network(nodes), one)
        onnx.save(other, two)
        print(f"{nodes:,} nodes: {_timed(one, two)}")


def weights(gigabytes: float) -> None:
    """Print time and memory of the command for models with that many gigabytes of weights."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name in ("a", "b"):
            files.append(Path(folder, name, "model.onnx"))
            files[-1].parent.mkdir()
            sparse_weights(files[-1], int(gigabytes * 1e9), changed=name == "b")
        print(f"{gigabytes:g} GB of weights: {_timed(*files)}")


def sparse_weights(path: Path, size: int, *, changed: bool, tensors: int = 10) -> None:
    """A model whose weights of `size` bytes are holes of a file; in one that is `changed` one value is not 0."""
    rows = size // tensors // 4 // 1024
    part = rows * 4 * 1024
    nodes, stored = [], []
    for number in range(tensors):
        tensor = onnx.TensorProto(name=f"w{number}", data_type=onnx.TensorProto.FLOAT, dims=[1024, rows])
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights.bin"), ("offset", number * part), ("length", part)):
            tensor.external_data.add(key=key, value=str(value))
        stored.append(tensor)
        nodes.append(helper.make_node("MatMul", ["x", tensor.name], [f"y{number}"]))
    outputs = [helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None) for node in nodes]
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1024])]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, stored), ir_version=9)
    path.write_bytes(model.SerializeToString())
    with path.with_name("weights.bin").open("wb") as file:
        file.truncate(tensors * part)
        if changed:
            file.seek(tensors // 2 * part + 4 * 1000)
            file.write(np.float32(1).tobytes())


def _timed(one: Path, two: Path) -> str:
    """Wall-clock and CPU time of the whole process, the most memory it had, and its first line."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "onnxfix", "diff", "--stat", str(one), str(two)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = (done.stdout or done.stderr).splitlines()[0]
    memory = after.ru_maxrss / 1024
    return f"{seconds:.1f} s ({cpu:.1f} s of CPU), at most {memory:,.0f} MiB (of all processes so far): {told}"


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diff", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sizes", default="5000,50000")
    parser.add_argument("--gigabytes", type=float, default=20)
    options = parser.parse_args()
    if options.gigabytes:
        weights(options.gigabytes)
    for nodes in filter(None, options.sizes.split(",")):
        speed(int(nodes))
    if options.rounds:
        edits_found(options.rounds)
        other_names()
        same_with_itself()


if __name__ == "__main__":
    main()
