"""`onnxfix diff` from the outside."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from outside import Command

from benchmarks.diff import sparse_weights
from onnxfix.changes.records import KINDS

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "diff.schema.json").read_text(encoding="utf-8"))
ONE = """<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) <float[2] w = {1, 2}>
{ [first] a = Relu (x) [last] y = Add (a, w) }"""
TWO = ONE.replace("Relu", "Tanh").replace("{1, 2}", "{1, 3}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, in which the command runs."""
    return tmp_path


@pytest.fixture
def diff(onnxfix: Command, folder: Path) -> Command:
    """`diff("a.onnx", "b.onnx")` in the folder, where those two differ in a node and a weight."""
    for name, text in (("a", ONE), ("b", TWO), ("same", ONE)):
        onnx.save(onnx.parser.parse_model(text), folder / f"{name}.onnx")
    return lambda *arguments, **environment: onnxfix("diff", *arguments, **environment)


def test_text(diff: Command) -> None:
    done = diff("a.onnx", "b.onnx")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "--- a.onnx\n"
        "+++ b.onnx\n"
        "1 of 2 nodes matched with 2; 1 piece replaced, 1 stored tensor changed.\n"
        "@@ first @@ Relu → Tanh\n"
        "- [first] a = Relu (x)\n"
        "+ [first] a = Tanh (x)\n"
        "@@ w @@ 1 of 2 values differ, max |diff| 1\n"
        "- float[2] w = {1.0, 2.0}\n"
        "+ float[2] w = {1.0, 3.0}\n"
    )
    for seed in ("1", "2"):
        assert diff("a.onnx", "b.onnx", PYTHONHASHSEED=seed).stdout == done.stdout


def test_exit_codes(diff: Command, folder: Path) -> None:
    assert diff("a.onnx", "same.onnx").returncode == 0
    assert diff("a.onnx", "b.onnx").returncode == 1
    quiet = diff("a.onnx", "b.onnx", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "")
    missing = diff("a.onnx", "none.onnx")
    assert (missing.returncode, missing.stderr) == (2, "onnxfix: none.onnx: no such file\n")
    assert diff("a.onnx").returncode == 2
    unknown = diff("a.onnx", "b.onnx", "--ignore", "nodes")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("onnxfix: --ignore does not know 'nodes'")
    (folder / "pointer.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n")
    pointer = diff("a.onnx", "pointer.onnx")
    assert (pointer.returncode, pointer.stderr.count("\n")) == (2, 1)
    assert "LFS" in pointer.stderr


def test_ignored_parts(diff: Command, folder: Path) -> None:
    text = ONE.replace(" a ", " v ").replace("(a,", "(v,").replace("[last]", "[end]")
    onnx.save(onnx.parser.parse_model(text), folder / "names.onnx")
    assert diff("a.onnx", "names.onnx").returncode == 1
    assert diff("a.onnx", "names.onnx", "--ignore", "names,docs").returncode == 0


def test_counts_only(diff: Command) -> None:
    lines = diff("a.onnx", "b.onnx", "--stat").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["1", "piece", "replaced"], ["1", "stored", "tensor", "changed"]]


def test_json_follows_its_schema(diff: Command) -> None:
    assert SCHEMA["$defs"]["change"]["properties"]["kind"]["enum"] == list(KINDS)
    for arguments in (("a.onnx", "b.onnx"), ("a.onnx", "b.onnx", "--run"), ("a.onnx", "same.onnx", "--run")):
        document = json.loads(diff(*arguments, "--format", "json").stdout)
        _check(document, SCHEMA, "report")
        assert set(document) == set(SCHEMA["properties"])
    with pytest.raises(AssertionError):
        _check({**document, "matched": -1}, SCHEMA, "report")


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _check(value: Any, schema: dict[str, Any], where: str) -> None:
    """The part of JSON schema that ours uses; an assertion for what does not follow it."""
    if "$ref" in schema:
        return _check(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], where)
    if "anyOf" in schema:
        errors = [_mismatch(value, option, where) for option in schema["anyOf"]]
        assert not all(errors), (where, errors)
        return None
    assert value in schema.get("enum", [value]), (where, value)
    assert isinstance(value, _TYPES.get(schema.get("type", ""), (object,))), (where, value)
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys(), (where, value.keys())
        assert len(value) <= schema.get("maxProperties", len(value)), where
        for name, item in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            assert known is not None or "properties" not in schema, f"{where} has the unknown field {name}"
            _check(item, known or {}, f"{where}.{name}")
    elif isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), where
        for item in value:
            _check(item, schema.get("items", {}), f"{where}[]")
    elif not isinstance(value, bool) and isinstance(value, int | float):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), (where, value)
    return None


def _mismatch(value: Any, schema: dict[str, Any], where: str) -> str:
    try:
        _check(value, schema, where)
    except AssertionError as error:
        return str(error)
    return ""


def test_markdown(diff: Command) -> None:
    text = diff("a.onnx", "b.onnx", "--format", "markdown").stdout
    assert text.startswith("### `a.onnx` → `b.onnx`\n")
    assert "| 1 | piece replaced |" in text
    assert "- [first] a = Relu (x)" in text


def test_run(diff: Command, folder: Path) -> None:
    done = diff("a.onnx", "b.onnx", "--run")
    assert done.returncode == 1
    assert "Numbers: different: 1 of 1 outputs differ: 'y'" in done.stdout
    assert "They part first at Add last, which makes y" in done.stdout
    np.savez(folder / "x.npz", x=np.array([1, -1], np.float32))
    same = diff("a.onnx", "same.onnx", "--inputs", "x.npz")
    assert (same.returncode, "Numbers: equal" in same.stdout) == (0, True)
    wrong = diff("a.onnx", "same.onnx", "--inputs", "none.npz")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


HOSTILE = {
    "escape": "\x1b[2J\x1b]0;title\x07",
    "newline": "line\n@@ forged @@\n+ line",
    "long": "n" * 10_000,
    "right to left": "\u202eevil\u2066",
    "fence": "```\n</details>\n````",
    "tag": "<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_hostile_names(diff: Command, folder: Path, name: str, form: str) -> None:
    hostile = HOSTILE[name]
    for file, op_type in (("a", "Relu"), ("b", "Tanh")):
        made = onnx.parser.parse_model(ONE.replace("Relu", op_type))
        made.graph.node[0].name = hostile
        made.graph.node[0].output[0] = made.graph.node[1].input[0] = hostile
        made.graph.initializer[0].name = made.graph.node[1].input[1] = hostile + file
        made.metadata_props.add(key=hostile, value=hostile + op_type)
        onnx.save(made, folder / f"{file}.onnx")
    done = diff("a.onnx", "b.onnx", "--format", form)
    assert (done.returncode, done.stderr) == (1, "")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", done.stdout)
    assert "\n@@ forged" not in done.stdout
    if form != "json":
        assert max(map(len, done.stdout.splitlines())) < 2_000
    if form == "markdown":
        opened = re.findall(r"^(`{3,})", done.stdout, re.MULTILINE)
        assert len(opened) == 2
        assert opened[0] == opened[1]
        assert len(re.findall("`+", done.stdout)) and max(map(len, re.findall("`+", done.stdout))) == len(opened[0])


def test_missing_and_short_weight_files(diff: Command, folder: Path) -> None:
    (folder / "w").mkdir()
    sparse_weights(folder / "w" / "m.onnx", 1 << 20, changed=False)
    weights = folder / "w" / "weights.bin"
    os.truncate(weights, 5)
    _refused(diff("a.onnx", "w/m.onnx"), "truncated")
    weights.unlink()
    _refused(diff("a.onnx", "w/m.onnx"), "missing")


def _refused(done: subprocess.CompletedProcess[str], word: str) -> None:
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert word in done.stderr


def test_large_weights_take_little_memory(folder: Path) -> None:
    """Two models of 1 GB each, a process with 500 MB, and one value that differs."""
    files = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        files.append(folder / name / "m.onnx")
        sparse_weights(files[-1], 10**9, changed=name == "two")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (500 << 20, 500 << 20))

    command = [sys.executable, "-m", "onnxfix", "diff", *map(str, files)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited, env=environment, timeout=300)
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(r"1 of 2\d,\d{3},\d{3} values differ, max \|diff\| 1\n", done.stdout)
