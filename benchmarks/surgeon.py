"""What a cut of a model keeps of it: `onnxfix extract` and onnx-graphsurgeon on the official conformance models.

python -m benchmarks.surgeon

Every node gets a doc string and an entry of metadata, as PyTorch's exporter writes them, and every graph inside a node
gets a node that nobody reads (parsers refuse such nodes too).  Then the whole model is cut out between its own inputs
and outputs.  Told is in how many models something is lost that was there.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

import onnx

from benchmarks.cases import folder_cases, node_cases
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.extract import between
from onnxfix.model import Model, load
from onnxfix.model.inference import typed_scopes
from onnxfix.model.scope import Scope, scopes_of

Way = Callable[[onnx.ModelProto], onnx.ModelProto]


def facts(proto: onnx.ModelProto) -> dict[str, int]:
    """How much there is of what a cut may lose; the nodes are those that the outputs need, and all in graphs inside."""
    scopes = scopes_of(Model(proto))
    nodes = [(scope, scope.nodes[index]) for scope in scopes for index in _needed(scope)]
    return {
        "doc strings of nodes": sum(bool(node.doc_string) for _, node in nodes),
        "metadata of nodes": sum(bool(node.metadata_props) for _, node in nodes),
        "nodes in graphs inside nodes": sum(bool(scope.id) and scope.id[0] != "f" for scope, _ in nodes),
        "nodes in functions": sum(scope.id[:1] == ("f",) for scope, _ in nodes),
        "attributes": sum(len(node.attribute) for _, node in nodes),
        "dimension names of inputs": sum(
            bool(dim.dim_param) for value in proto.graph.input for dim in value.type.tensor_type.shape.dim
        ),
        "outputs with a type": sum(bool(value.type.WhichOneof("value")) for value in proto.graph.output),
    }


def _needed(scope: Scope) -> set[int]:
    if scope.id:
        return set(range(len(scope.nodes)))
    wanted, found = list(scope.outputs), set()
    while wanted:
        index = scope.producer.get(wanted.pop(), (-1, 0))[0]
        if index >= 0 and index not in found:
            found.add(index)
            wanted += [name for name, users in scope.users.items() if any(user == index for user, _ in users)]
    return found


def ours(proto: onnx.ModelProto) -> onnx.ModelProto:
    """By `extract`."""
    scopes = typed_scopes(load(proto))[0]
    return between(scopes, [], [value.name for value in proto.graph.output])


def theirs(proto: onnx.ModelProto) -> onnx.ModelProto:
    """By onnx-graphsurgeon: imported, cleaned up and exported."""
    import onnx_graphsurgeon as gs

    graph = gs.import_onnx(proto)
    graph.cleanup()
    exported: onnx.ModelProto = gs.export_onnx(graph)
    return exported


WAYS: dict[str, Way] = {"onnxfix extract": ours, "onnx-graphsurgeon": theirs}


def models() -> Iterator[onnx.ModelProto]:
    """Models with outputs, all nodes with notes; inside of nodes and functions there is a node that nobody reads."""
    for case in itertools.chain(folder_cases(), node_cases()):
        proto = onnx.ModelProto.FromString(case.model.SerializeToString())
        if not proto.graph.output:
            continue
        for scope in scopes_of(Model(proto)):
            if scope.id and scope.nodes and scope.nodes[0].output:
                scope.proto.node.append(
                    onnx.helper.make_node("Identity", scope.nodes[0].output[:1], [f"idle{scope.id}"])
                )
            for node in scope.proto.node:
                node.doc_string = "net.py:12"
                node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="net.py:12")
        yield proto


def lost(proto: onnx.ModelProto, way: Way) -> list[str]:
    """What a way loses of a model, or that it gives up, or gives an invalid model."""
    before = facts(proto)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = way(onnx.ModelProto.FromString(proto.SerializeToString()))
    except OnnxfixError as error:
        return [f"gives up: {error.what}"]
    except Exception as error:  # what a peer raises is what is measured
        return [f"gives up: {type(error).__name__}"]
    after = facts(result)
    missing = [name for name, count in before.items() if after[name] < count]
    valid = not typed_scopes(Model(proto))[1]
    return missing + (["valid"] if valid and typed_scopes(Model(result))[1] else [])


def main() -> None:
    """Run it."""
    found = {name: Counter[str]() for name in WAYS}
    count = 0
    for proto in models():
        count += 1
        for name, way in WAYS.items():
            found[name].update(lost(proto, way))
    print(f"{count} models; in how many is lost:\n")
    print("| |", " | ".join(WAYS), "|\n|---|" + "---|" * len(WAYS))
    for what in dict.fromkeys(what for counter in found.values() for what in counter):
        print(f"| {what} |", " | ".join(str(found[name][what]) for name in WAYS), "|")


if __name__ == "__main__":
    main()
