"""What TensorRT's parser refuses of the official conformance models, each made as small as possible, and grouped.

python -m benchmarks.refusals --most 400
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.cases import folder_cases, node_cases
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.answers import Answers
from onnxfix.isolate.checks import Engine
from onnxfix.isolate.search import Search, search_nodes, size_of
from onnxfix.isolate.shrink import shrink
from onnxfix.model import load, save

Group = tuple[str, str]
"""The kind of refusal, and the operators that are left."""


def grouped(most: int) -> tuple[int, dict[Group, list[tuple[str, int, int, int]]]]:
    """(models asked, for each kind of refusal: name, nodes before and after, checks)."""
    groups: dict[Group, list[tuple[str, int, int, int]]] = defaultdict(list)
    asked = 0
    check = Engine("parse", timeout=60)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "case.onnx")
        for case in itertools.islice(itertools.chain(folder_cases(), node_cases()), most):
            try:
                model = load(case.model)
                save(model, path)
                asked += 1
                if not check(path, model).failed:
                    continue
                search = Search(model, check, Answers(None, ""), str)
                before = size_of(model)
                if not search.begin():
                    continue
                search_nodes(search)
                shrink(search)
            except OnnxfixError as error:
                groups[str(error), ""].append((case.name, -1, -1, -1))
                continue
            left = "+".join(sorted(node.op_type for node in search.model.proto.graph.node))
            groups[search.sign, left].append((case.name, before, size_of(search.model), search.checks))
    return asked, groups


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="so many models, whole ones first")
    asked, groups = grouped(parser.parse_args().most)
    found = [row for rows in groups.values() for row in rows]
    for (sign, left), rows in sorted(groups.items(), key=lambda item: -len(item[1])):
        print(f"{len(rows):4}  {left:30} {sign}   such as {rows[0][0]}")
    alone = sum(after == 1 for _, _, after, _ in found)
    checks = sorted(row[3] for row in found) or [0]
    middle = checks[len(checks) // 2]
    print(f"{len(found)} of {asked} refused, in {len(groups)} groups; {alone} are one node; median {middle} checks")


if __name__ == "__main__":
    main()
