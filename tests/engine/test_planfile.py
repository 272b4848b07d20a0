"""What is said of a file before any library loads it, on plans that TensorRT-RTX has built here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.api import engines
from onnxfix.engine import Flavour
from onnxfix.engine.driver import Driver, Gpu
from onnxfix.engine.header import SIZE, Header, read_header
from onnxfix.engine.planfile import Machine, check_plan, obstacle, open_plan, this_machine
from onnxfix.engine.sidecar import file_facts, read_sidecar, sidecar_path
from onnxfix.errors import OnnxfixError

ADA = Driver("570.1", "12.8", (Gpu("NVIDIA L4", "8.9", 24 << 30),))


@pytest.fixture
def plan(made: Path, tmp_path: Path) -> Path:
    """A copy of the plan with its sidecar."""
    path = tmp_path / "m.plan"
    path.write_bytes((made / "m.plan").read_bytes())
    sidecar_path(path).write_bytes(sidecar_path(made / "m.plan").read_bytes())
    return path


@pytest.fixture
def here() -> Machine:
    """This machine as it would be with a GPU of compute capability 8.9."""
    return replace(this_machine(), driver=ADA)


def refusal(path: Path, data: bytes | None = None) -> str:
    """Why a file (without a sidecar, when `data` is what it holds) is not a plan."""
    if data is not None:
        path.write_bytes(data)
        sidecar_path(path).unlink(missing_ok=True)
    with pytest.raises(OnnxfixError) as caught:
        open_plan(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_the_header_of_a_real_plan(plan: Path) -> None:
    file = open_plan(plan)
    installed = this_machine().flavours
    (version,) = [flavour.version for flavour in installed if flavour.name == "tensorrt_rtx"]
    assert file.header == Header("tensorrt_rtx", version, plan.stat().st_size, ("8.9",))
    assert file.flavour.title == f"TensorRT-RTX {version}"


@pytest.mark.parametrize(("named", "expected"), [(("7.5",), ("7.5",)), (("8.9", "12.0"), ("8.9", "12.0"))])
def test_compute_capabilities_stand_in_the_header(
    named: tuple[str, ...], expected: tuple[str, ...], made: Path, tmp_path: Path
) -> None:
    engines.build(made / "m.onnx", tmp_path / "p", engines.BuildOptions(compute_capabilities=named), target="rtx")
    assert open_plan(tmp_path / "p").header.compute_capabilities == expected


def test_a_plan_for_more_gpus_than_have_names(plan: Path) -> None:
    data = bytearray(plan.read_bytes())
    data[32] |= 64
    header = read_header(bytes(data[:SIZE]))
    assert header is not None
    assert header.compute_capabilities == ()


Damage = Callable[[bytes], bytes]
WAYS: list[tuple[str, Damage, str]] = [
    ("empty", lambda _: b"", "is empty"),
    ("half", lambda d: d[: len(d) // 2], "is truncated: "),
    ("a few bytes", lambda d: d[:10], "is truncated or damaged: its header is incomplete (10 bytes)"),
    ("longer", lambda d: d + b"more", "is damaged: "),
    ("CR LF", lambda d: d.replace(b"\n", b"\r\n"), "opened or written as text: every line end became CR LF"),
    ("UTF-8", lambda d: d.decode(errors="replace").encode(), "its bytes were changed to UTF-8"),
    ("ignored", lambda d: d.decode(errors="ignore").encode(), "its bytes were changed to UTF-8"),
    ("latin-1", lambda d: d.decode("latin-1").encode(), "its bytes were changed to UTF-8"),
    ("repr", lambda d: str(d).encode(), "is the text of Python's bytes"),
    ("base64", base64.b64encode, "is a plan in base64"),
    ("prefix", lambda d: b"\x02\0\0\0{}" + d, "has 6 bytes of JSON before the plan, as Ultralytics writes (cut off"),
    ("lfs", lambda _: b"version https://git-lfs.github.com/spec/v1\n", "is a Git-LFS pointer"),
    ("page", lambda _: b"<html>not found</html>", "is an HTML page"),
    ("archive", lambda _: b"PK\x03\x04....", "is a zip archive"),
    ("text", lambda _: b"hello\n", "is a text file, not a plan"),
    ("noise", lambda _: bytes(range(255, 0, -1)), "is not a TensorRT plan file"),
]


@pytest.mark.parametrize(("damage", "words"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
def test_ways_to_lose_a_plan(damage: Damage, words: str, plan: Path) -> None:
    assert words in refusal(plan, damage(plan.read_bytes()))


def test_an_onnx_file_is_no_plan(made: Path) -> None:
    assert "is an ONNX model, not a plan (`onnxfix build` makes a plan of it)" in refusal(made / "m.onnx")


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == "no such file"
    assert refusal(tmp_path) == "cannot be read: Is a directory"


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 4000))
def test_truncated_anywhere(made: Path, size: int) -> None:
    path = made / "cut.plan"
    words = refusal(path, (made / "m.plan").read_bytes()[:size])
    assert words.startswith("is truncated") or size < 4


def test_a_flipped_bit_is_seen_with_the_sidecar(plan: Path) -> None:
    data = bytearray(plan.read_bytes())
    data[5000] ^= 1
    plan.write_bytes(data)
    assert "is not the plan that m.plan.json describes: its SHA-256 is another one" in refusal(plan)


def test_plan_and_sidecar_of_two_builds(plan: Path, made: Path) -> None:
    engines.build(made / "m.onnx", made / "other.plan", engines.BuildOptions(compute_capabilities=("12.0",)))
    plan.write_bytes((made / "other.plan").read_bytes())
    assert "is not the plan that m.plan.json describes" in refusal(plan)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', "null", '{"format": 1, "plan": 3}', "\ud800", "[" * 99999]
)
def test_a_sidecar_that_is_none(text: str, plan: Path) -> None:
    sidecar_path(plan).write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(OnnxfixError, match=r"m.plan.json: is not what onnxfix wrote .*\(delete it; the plan itself"):
        open_plan(plan)


def test_the_sidecar_comes_back_as_it_was_written(plan: Path, made: Path) -> None:
    sidecar = read_sidecar(plan)
    assert sidecar is not None
    assert json.loads(sidecar.to_bytes()) == json.loads(sidecar_path(plan).read_text())
    assert [item.name for item in sidecar.model] == ["m.onnx"]
    assert sidecar.model[0].bytes == (made / "m.onnx").stat().st_size
    assert (sidecar.compute_capabilities, sidecar.precisions, sidecar.gpu) == (("8.9",), ("strong",), None)


def test_nothing_against_it(plan: Path, here: Machine) -> None:
    assert obstacle(open_plan(plan), here) == ""
    sidecar_path(plan).unlink()
    assert obstacle(open_plan(plan), here) == ""


def test_another_release_in_the_header(plan: Path, here: Machine) -> None:
    data = bytearray(plan.read_bytes())
    data[25] = 6
    plan.write_bytes(data)
    sidecar_path(plan).unlink()
    (rtx,) = [flavour for flavour in here.flavours if flavour.name == "tensorrt_rtx"]
    built = ".".join(map(str, data[24:28]))
    assert obstacle(open_plan(plan), here) == f"TensorRT-RTX {built} built it, and {rtx.title} is installed"


def edited(path: Path, **changes: object) -> None:
    """Change the sidecar's fields."""
    document = json.loads(sidecar_path(path).read_text())
    sidecar_path(path).write_text(json.dumps({**document, **changes}))


TENSORRT = {"name": "tensorrt", "version": "10.13.3.9", "cuda": "12"}


def foreign(plan: Path, **changes: object) -> None:
    """Make it a plan of TensorRT, of which only the first bytes are known."""
    plan.write_bytes(b"ftrt" + bytes(200))
    facts = file_facts(plan)
    edited(plan, plan={"name": "m.plan", "bytes": facts.bytes, "sha256": facts.sha256}, flavour=TENSORRT, **changes)


@pytest.mark.parametrize(
    ("installed", "changes", "words"),
    [
        ("10.13.3.9", {}, ""),
        ("10.13.3.10", {}, ""),
        ("10.14.1.48.post1", {}, "TensorRT 10.13.3.9 built it, and TensorRT 10.14.1.48.post1 is installed"),
        ("10.14.1.48", {"version_compatible": True}, ""),
        (
            "10.12.0.36",
            {"version_compatible": True},
            "TensorRT 10.13.3.9 built it, and TensorRT 10.12.0.36 is installed",
        ),
        ("", {}, "TensorRT 10.13.3.9 built it, and tensorrt is not installed"),
        ("10.13.3.9", {"system": "Windows AMD64"}, "it was built on Windows AMD64, and this is "),
        ("10.13.3.9", {"compute_capabilities": ["7.5"]}, "it is for compute capability 7.5, and NVIDIA L4 has 8.9"),
        ("10.13.3.9", {"compute_capabilities": ["8.0"], "hardware_compatible": True}, ""),
    ],
)
def test_a_plan_of_tensorrt_is_known_by_its_sidecar(
    installed: str, changes: dict[str, object], words: str, plan: Path, here: Machine
) -> None:
    foreign(plan, **changes)
    flavours = (Flavour("tensorrt", installed),) if installed else ()
    said = obstacle(open_plan(plan), replace(here, flavours=flavours))
    assert said.startswith(words) if words else said == ""


def test_another_gpu(plan: Path, here: Machine) -> None:
    turing = Driver("570.1", "12.8", (Gpu("Tesla T4", "7.5", 16 << 30),))
    said = obstacle(open_plan(plan), replace(here, driver=turing))
    assert said == "it is for compute capability 8.9, and Tesla T4 has 7.5"


def test_no_gpu_is_said_by_check_plan(plan: Path) -> None:
    if this_machine().driver.gpus:
        pytest.skip("this machine has a GPU")
    with pytest.raises(
        OnnxfixError, match=r"will not load here: .*this machine has none.*\(load it where the GPU is\)"
    ):
        check_plan(plan)
