"""Plans and sidecars with anything in them: understood, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.api import engines
from onnxfix.engine.planfile import open_plan
from onnxfix.engine.sidecar import sidecar_path
from onnxfix.errors import OnnxfixError
from onnxfix.report.engines import inspect_lines


@settings(max_examples=100, deadline=None)
@given(
    data=st.binary(max_size=300),
    magic=st.sampled_from([b"", b"vtrt", b"ftrt", b"\x08\x08", b"\x04\0\0\0{", b"\xff\xff\xff\xff{"]),
)
def test_any_bytes_are_a_plan_or_refused_in_one_line(made: Path, magic: bytes, data: bytes) -> None:
    path = made / "any.plan"
    path.write_bytes(magic + data)
    try:
        assert open_plan(path).header.flavour == "tensorrt" or data
    except OnnxfixError as error:
        assert "\n" not in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2)
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_sidecar_is_refused_or_understood(made: Path, data: st.DataObject) -> None:
    """One value somewhere in it is another one: the report can be printed, or there is one line."""
    path = made / "changed.plan"
    path.write_bytes((made / "m.plan").read_bytes())
    document = json.loads(sidecar_path(made / "m.plan").read_text())
    place = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not place[key] or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    sidecar_path(path).write_text(json.dumps(document))
    try:
        assert list(inspect_lines(engines.inspect(path)))
    except OnnxfixError as error:
        assert "\n" not in str(error)
