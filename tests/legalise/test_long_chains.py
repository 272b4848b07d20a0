"""Sizes and conditions that hang on long chains: every node asks what is behind it, each value is looked at once."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import onnx
import pytest

import onnxfix
from onnxfix.legalise import known_refusals
from onnxfix.legalise.known_sizes import known_only_when_running
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.targets import resolve
from tests.counting import calls

HEAD = '<ir_version: 8, opset_import: ["" : 13]> g '
THEN = "If (c{m}) <then_branch = t () => (float[1] t{n}) {{ t{n} = Relu (x) }}, "
IF = THEN + "else_branch = e () => ({kind} e{n}) {{ {other} }}>"
LINKS = {
    "sizes": "c{m} = Add (c{n}, one) y{n} = Expand (x, c{m})",
    "branches": "c{m} = Not (c{n}) y{n} = " + IF.replace("{other}", "e{n} = Neg (x)").replace("{kind}", "float[1]"),
    "two ranks": "c{m} = Not (c{n}) y{n} = "
    + IF.replace("{other}", "e{n} = Unsqueeze (x, one)").replace("{kind}", "float[1,1]"),
}
"""Two nodes each: the first makes the condition or size of the second from the one before."""


def chain(link: str, count: int) -> onnx.ModelProto:
    body = "\n".join(LINKS[link].format(n=n, m=n + 1) for n in range(count))
    kinds = ("int64[1] c0", "float[1] y0") if link == "sizes" else ("bool c0", "float[1] y0")
    text = f"{HEAD} ({kinds[0]}, float[1] x) => ({kinds[1]}) <int64[1] one = {{1}}> {{ {body} }}"
    return onnx.parser.parse_model(text)


@pytest.mark.parametrize("link", LINKS)
def test_the_facts_are_found_in_a_linear_number_of_steps(link: str) -> None:
    def work(count: int) -> Callable[[], object]:
        scopes = typed_scopes(load(chain(link, count)))[0]
        return lambda: known_refusals(scopes, resolve("rtx1.7"))

    work(10)()
    assert calls(work(800)) < 4.6 * calls(work(200))


@pytest.mark.parametrize("link", LINKS)
def test_a_repair_takes_a_linear_number_of_steps(link: str) -> None:
    def work(count: int) -> Callable[[], object]:
        return lambda: onnxfix.repair(chain(link, count), verify="none", target="rtx1.7", dry_run=True)

    work(10)()
    assert calls(work(400)) < 4.6 * calls(work(100))


def test_what_is_remembered_is_what_a_search_alone_finds() -> None:
    """In random graphs with many ways from one value to another, asked in any order."""
    for seed in range(40):
        random, lines = Random(seed), []
        names = ["k", "f"]  # integers, and an input that is none
        for number in range(40):
            one, other = random.choice(names[-6:]), random.choice(names)
            lines.append(f"v{number} = {random.choice(('Add', 'Mul'))} ({one}, {other})")
            names.append(f"v{number}")
        proto = onnx.parser.parse_model(f"{HEAD} (int64[1] k, float[1] f) => (float[1] v39) {{ {' '.join(lines)} }}")
        (scope,) = typed_scopes(load(proto))[0]
        reads = {node.output[0]: set(node.input) for node in proto.graph.node}
        behind = {name: {name} for name in ("k", "f")}
        for name, given in reads.items():
            behind[name] = set.union(*(behind[each] for each in given))
        random.shuffle(names)
        assert all(known_only_when_running(scope, name) == ("f" in behind[name]) for name in names)
