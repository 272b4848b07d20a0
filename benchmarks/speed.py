"""How fast is onnxfix, beside its peers and over the size of the model?  Whole processes, in turns, medians.

    python -m benchmarks.speed [--repeats 5] [--sizes 1000,5000,20000,50000] [--width 1.0]

The peers run as people call them: `onnxsim`, `onnxslim`, `polygraphy surgeon sanitize --fold-constants`.  Memory is the
peak of what the process and its children hold, mapped files included.  The healthy model has nothing to repair, so
onnxfix checks and copies it; the peers do more there (onnxsim and onnxslim fuse nodes), less on the ailing one.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.measure import Figures, measured

PEERS = ("onnxsim", "onnxslim", "polygraphy")
_ONNXFIX = (sys.executable, "-m", "onnxfix")


def repair(model: Path, output: Path, verify: str) -> list[str]:
    """The command that repairs a model."""
    return [*_ONNXFIX, "repair", str(model), "-o", str(output), "--verify", verify]


def peer(name: str, model: Path, output: Path) -> list[str]:
    """The command of a peer; empty when it is not installed."""
    if name == "polygraphy":
        tool = shutil.which("polygraphy", path=str(Path(sys.executable).parent)) or shutil.which("polygraphy")
        return [tool, "surgeon", "sanitize", str(model), "--fold-constants", "-o", str(output)] if tool else []
    return [sys.executable, "-m", name, str(model), str(output)] if importlib.util.find_spec(name) else []


def detector(folder: Path, healthy: bool, width: float) -> Path:
    """YOLOv3 (248 MB at width 1), with the ailments of old converters or without."""
    from fixtures import darknet
    from fixtures.__main__ import write

    path = folder / f"yolov3-{'healthy' if healthy else 'ailing'}.onnx"
    model = darknet.build("yolov3", opset=None if healthy else 11, width=width, ailments=not healthy)
    write(model, path)
    return path


def blocks(count: int) -> onnx.ModelProto:
    """About `count` nodes: residual blocks, every other one with an Upsample or a computed Reshape to repair."""
    nodes: list[onnx.NodeProto] = []

    def add(op_type: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(nodes)}"
        nodes.append(helper.make_node(op_type, inputs, [name], name=f"node_{name}", **attributes))
        return name

    x = "x"
    while len(nodes) < count - 10:
        a = add("Relu", add("Add", x, "bias"))
        x = add("Add", add("LeakyRelu", add("Mul", a, add("Sigmoid", a)), alpha=0.1), x)
        if len(nodes) % 4:
            x = add("Upsample", x, "ones", mode="nearest")
        else:
            batch = add("Gather", add("Shape", x), "zero", axis=0)
            x = add("Reshape", x, add("Concat", batch, "four", "four", "four", axis=0))
    nodes.append(helper.make_node("Identity", [x], ["y"], name="last"))
    stored = {"bias": np.ones((4, 4, 4), np.float32), "ones": np.ones(4, np.float32)}
    stored |= {"zero": np.array([0]), "four": np.array([4])}
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4, 4, 4]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "blocks", values[:1], values[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def against_peers(model: Path, folder: Path, repeats: int) -> Iterator[str]:
    """The lines of one table: seconds, memory, the ratio to onnxsim, and what was written."""
    outputs = {name: folder / f"{name}.onnx" for name in ("none", "numeric", *PEERS)}
    commands = {f"onnxfix --verify {level}": repair(model, outputs[level], level) for level in ("none", "numeric")}
    commands |= {name: peer(name, model, outputs[name]) for name in PEERS}
    results = measured({name: command for name, command in commands.items() if command}, repeats)
    base = results.get("onnxsim")
    for name in commands:
        if name not in results:
            yield f"  {name:<24} not installed"
            continue
        figures, output = results[name], outputs[name.split()[-1]]
        ratio = f"{figures.median / base.median:5.2f} x" if base and not any(base.exit_codes) else "       "
        yield f"  {name:<24} {figures.spread():<24} {figures.peak:6.0f} MB {ratio}  {_written(figures, output)}"
        output.unlink(missing_ok=True)


def _written(figures: Figures, output: Path) -> str:
    """What became of the model."""
    if not output.exists():
        return f"refused (exit {figures.exit_codes[-1]}): {figures.last_line[:80]}"
    model = onnx.load(output, load_external_data=False)
    try:
        onnx.checker.check_model(str(output), full_check=True)
        verdict = "valid"
    except Exception as error:
        verdict = f"invalid: {' '.join(str(error).split())[:60]}"
    return f"{len(model.graph.node)} nodes, {len(model.graph.output)} outputs, {verdict}"


def over_sizes(sizes: Sequence[int], folder: Path, repeats: int) -> Iterator[str]:
    """Seconds over the number of nodes, and the time of a node against that of the smallest model."""
    commands: dict[str, list[str]] = {}
    for size in sizes:
        model = folder / f"blocks-{size}.onnx"
        onnx.save(blocks(size), model)
        commands[str(size)] = repair(model, folder / f"blocks-{size}.fixed.onnx", "none")
    results = measured(commands, repeats)
    first = results[str(sizes[0])].median / sizes[0]
    for size in sizes:
        figures = results[str(size)]
        per_node = figures.median / size
        yield (
            f"  {size:>6} nodes  {figures.spread():<26} {figures.peak:6.0f} MB  {per_node * 1e3:6.3f} ms a node, "
            f"{per_node / first:4.2f} x that of {sizes[0]}"
        )


def small_commands(folder: Path, repeats: int) -> Iterator[str]:
    """What a user waits for at least."""
    model = folder / "small.onnx"
    onnx.save(blocks(20), model)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import onnx'": [sys.executable, "-c", "import onnx"],
        "onnxfix --help": [*_ONNXFIX, "--help"],
        "onnxfix check (20 nodes)": [*_ONNXFIX, "check", str(model)],
        "onnxfix repair --verify none (20 nodes)": repair(model, folder / "small.fixed.onnx", "none"),
    }
    for name, figures in measured(commands, repeats).items():
        yield f"  {name:<42} {figures.spread():<24} {figures.peak:6.0f} MB"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sizes", default="1000,5000,20000,50000", help="numbers of nodes")
    parser.add_argument("--width", type=float, default=1.0, help="of the YOLOv3; 1.0 is the 248 MB file")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    with tempfile.TemporaryDirectory(prefix="onnxfix-speed-") as name:
        folder = Path(name)
        for healthy in (False, True):
            model = detector(folder, healthy, options.width)
            print(f"{model.stem}, {model.stat().st_size / 1e6:.0f} MB, {options.repeats} runs each")
            print("\n".join(against_peers(model, folder, options.repeats)), flush=True)
        print("repair --verify none over the size of the model")
        print("\n".join(over_sizes(sizes, folder, options.repeats)), flush=True)
        print("commands")
        print("\n".join(small_commands(folder, options.repeats)))


if __name__ == "__main__":
    main()
