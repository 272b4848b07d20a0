"""The official ONNX models, all of them: nothing that builds stops building, no output changes, nothing crashes."""

from __future__ import annotations

import pytest

from benchmarks.cases import FOLDERS, Case
from benchmarks.rescue import Row, every_case, measure

pytestmark = pytest.mark.conformance

CASES = every_case(("node", *FOLDERS))


@pytest.fixture(scope="session")
def rows() -> dict[str, Row]:
    return {}


def test_the_yardstick_is_complete() -> None:
    assert sum(case.kind == "node" for case in CASES) == 1884
    assert sum(case.kind != "node" for case in CASES) == 149


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.name}")
def test_case(case: Case) -> None:
    row = measure(case, peers=False)
    assert "CRASH" not in row.reasons["onnxfix"]
    assert not (row.raw and not row.tools["onnxfix"]), row.reasons["onnxfix"]
