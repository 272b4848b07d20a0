"""A Ray cluster on this machine, in a process of its own.

It has a head without CPUs and does what it is told on standard input, one line of JSON each: {"add": {...}} starts a
node with these resources, {"remove": N} kills the N-th node, with all that runs on it.  Each answer is a line too.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ray.cluster_utils import Cluster

STORE = 80 * 2**20


def main() -> None:
    common = {"object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**common, "num_cpus": 0})
    nodes: list[Any] = []
    answer({"address": cluster.address})
    for line in sys.stdin:
        order = json.loads(line)
        if "add" in order:
            nodes.append(cluster.add_node(object_store_memory=STORE, **order["add"]))
        else:
            cluster.remove_node(nodes[order["remove"]], allow_graceful=False)
        answer({"nodes": len(nodes)})
    cluster.shutdown()  # type: ignore[no-untyped-call]


def answer(reply: dict[str, Any]) -> None:
    print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
