"""`onnxfix check` for several targets, in all formats, with baseline, settings and cache, from the outside."""

from __future__ import annotations

import json
import random
from pathlib import Path
from xml.etree import ElementTree

import onnx
import pytest
from outside import Command

from fixtures import small

SCHEMA = Path(__file__).parent.parent.parent / "docs" / "check.schema.json"
TARGETS = ("--target", "jetson-nano,rtx1.7")
STUCK = '<ir_version: 8, opset_import: ["" : 17]> g (float[5] x) => (float[N] y) { t = Relu(x) y = Unique(t) }'


@pytest.fixture
def models(folder: Path) -> Path:
    """well.onnx is ready, bare.onnx repairable, stuck.onnx blocked."""
    (folder / "sick.onnx").unlink()
    onnx.save(small.build("no-outputs"), folder / "bare.onnx")
    onnx.save(onnx.parser.parse_model(STUCK), folder / "stuck.onnx")
    return folder


@pytest.mark.usefixtures("models")
def test_a_table_of_models_and_targets(onnxfix: Command) -> None:
    done = onnxfix("check", ".", *TARGETS, "--ignore", "OFX105")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-5:] == [
        "            jetson-nano@trt8.2  rtx1.7",
        "bare.onnx   repairable (1)      repairable (1)",
        "stuck.onnx  blocked (1)         blocked (1)",
        "well.onnx   ready               ready",
        "TensorRT-RTX 1.7.1.116 asked itself; the others by the fact base. The numbers count errors.",
    ]
    assert done.stdout.count("OFX401 error") == 1  # told once, for every target
    patterns = onnxfix("check", "*.onnx", *TARGETS, "--ignore", "OFX105")
    assert patterns.stdout == done.stdout
    assert onnxfix("check", "no*.onnx").stderr == "onnxfix: no*.onnx: matches no file\n"


@pytest.mark.usefixtures("models")
def test_whose_word_it_is(onnxfix: Command) -> None:
    asked = onnxfix("check", "stuck.onnx", "--target", "rtx1.7").stdout
    assert "       TensorRT-RTX 1.7.1.116: no importer for operator Unique" in asked
    known = onnxfix("check", "stuck.onnx", "--target", "rtx1.7", "--static").stdout
    assert "TensorRT-RTX 1.7 has no importer for Unique" in known
    assert "1.7.1.116:" not in known


def test_json_keeps_to_its_schema(onnxfix: Command, models: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    (models / "broken.onnx").write_text("no model")
    done = onnxfix("check", ".", *TARGETS, "--format", "json")
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert done.returncode == document["exit_code"] == 2
    states = {(report["model"], report["target_name"]): report["state"] for report in document["models"]}
    assert states["stuck.onnx", "rtx1.7"] == "blocked"
    assert states["well.onnx", "jetson-nano@trt8.2"] == "ready"
    assert document["errors"] == ["broken.onnx: is a text file, not an ONNX model (name the .onnx file)"]
    assert document["statistics"]["OFX401"] == 1
    refused = [d for r in document["models"] for d in r["diagnostics"] if d["kind"] == "refused"]
    assert {d["source"] for d in refused} >= {"TensorRT-RTX 1.7.1.116"}


def test_sarif_has_rules_and_places(onnxfix: Command, models: Path) -> None:
    (run,) = json.loads(onnxfix("check", ".", *TARGETS, "--format", "sarif").stdout)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(rule["id"] for rule in rules)
    assert all(rule["help"]["markdown"] and rule["shortDescription"]["text"] for rule in rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert (models / uri).is_file()
    (unique,) = [result for result in run["results"] if result["ruleId"] == "OFX723"]
    assert unique["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "y"
    assert unique["properties"]["targets"] == ["jetson-nano@trt8.2", "rtx1.7"]


@pytest.mark.usefixtures("models")
def test_annotations_junit_and_markdown(onnxfix: Command) -> None:
    github = onnxfix("check", ".", *TARGETS, "--format", "github").stdout
    assert "::error file=stuck.onnx,title=OFX723 unique::y: Unique is not rewritten" in github
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in github.splitlines())
    suites = ElementTree.fromstring(onnxfix("check", ".", *TARGETS, "--format", "junit").stdout.encode())
    counts = {suite.get("name"): (suite.get("tests"), suite.get("failures")) for suite in suites}
    assert counts == {"jetson-nano@trt8.2": ("3", "2"), "rtx1.7": ("3", "2")}
    markdown = onnxfix("check", ".", *TARGETS, "--format", "markdown").stdout
    assert "| stuck.onnx | blocked | blocked |" in markdown


@pytest.mark.usefixtures("models")
def test_statistics(onnxfix: Command) -> None:
    done = onnxfix("check", ".", *TARGETS, "--statistics", "--select", "OFX401,OFX723")
    assert done.stdout.splitlines() == [
        "     1 OFX401 error missing-outputs",
        "     1 OFX723 error unique",
        "2 findings of 2 rules.",
    ]


def test_a_baseline_starts_clean(onnxfix: Command, models: Path) -> None:
    written = onnxfix("check", ".", *TARGETS, "--write-baseline", "known.json")
    assert (written.returncode, written.stdout) == (0, "Wrote known.json: findings listed: 3\n")
    done = onnxfix("check", ".", *TARGETS, "--baseline", "known.json")
    assert done.returncode == 0
    assert "known findings left out" in done.stderr
    onnx.save(onnx.parser.parse_model(STUCK.replace("y", "other")), models / "new.onnx")
    assert onnxfix("check", ".", *TARGETS, "--baseline", "known.json").returncode == 1
    (models / "known.json").write_text("[]")
    assert onnxfix("check", ".", "--baseline", "known.json").stderr == (
        "onnxfix: known.json: is no baseline of form 1 (`onnxfix check ... --write-baseline FILE` writes one)\n"
    )


def test_settings_of_the_repository(onnxfix: Command, models: Path) -> None:
    (models / "legacy").mkdir()
    (models / "stuck.onnx").rename(models / "legacy" / "stuck.onnx")
    (models / "bare.onnx").unlink()
    (models / "pyproject.toml").write_text(
        '[tool.onnxfix]\ntargets = ["trt8.6", "rtx1.7"]\n[tool.onnxfix.per-file-ignores]\n"legacy/*" = ["tensorrt"]\n'
    )
    done = onnxfix("check", ".")
    assert done.returncode == 0, done.stdout
    assert "trt8.6" in done.stdout
    (models / "pyproject.toml").write_text("[tool.onnxfix]\nper-file-ignore = 1\n")
    assert "tool.onnxfix.per-file-ignore: unknown key" in onnxfix("check", ".").stderr


def test_the_cache_answers_for_what_has_not_changed(onnxfix: Command, models: Path) -> None:
    first = onnxfix("check", ".", *TARGETS)
    entries = {path: path.read_bytes() for path in (models / "cache" / "check").iterdir()}
    assert len(entries) == 6
    for path, data in entries.items():  # a mark that only the cache can have
        path.write_bytes(data.replace(b"OFX723", b"OFX724"))
    again = onnxfix("check", ".", *TARGETS)
    assert again.stdout == first.stdout.replace("OFX723", "OFX724")
    assert onnxfix("check", ".", *TARGETS, "--no-cache").stdout == first.stdout
    onnx.save(small.build("no-outputs"), models / "stuck.onnx")
    assert "OFX724" not in onnxfix("check", ".", *TARGETS).stdout


def test_the_line_of_python_is_shown(onnxfix: Command, models: Path) -> None:
    model = onnx.parser.parse_model(STUCK)
    trace = 'File "/home/me/net.py", line 12, in forward\n    return torch.unique(x)'
    model.graph.node[1].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=trace)
    onnx.save(model, models / "stuck.onnx")
    shown = onnxfix("check", "stuck.onnx", "--target", "trt8.6", "--ignore", "OFX105").stdout
    assert "(net.py:12 in forward)" in shown
    (run,) = json.loads(onnxfix("check", "stuck.onnx", "--target", "trt8.6", "--format", "sarif").stdout)["runs"]
    (result,) = [item for item in run["results"] if item["ruleId"] == "OFX723"]
    place = result["relatedLocations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": Path("/home/me/net.py").as_uri()}, "region": {"startLine": 12}}


def test_silent_errors_are_of_their_own_kind(onnxfix: Command, models: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
    g (float[2,3,1] x, float[1,1,1] w, float[1,1,1] r) => (float[2,3,1,1] y, float[2] z)
    <float[2] c = {1e9, 1}> { y = RNN <hidden_size = 1, layout = 1> (x, w, r) z = my.Relu (c) }"""
    onnx.save(onnx.parser.parse_model(text), models / "silent.onnx")
    arguments = ("check", "silent.onnx", "--target", "trt8.6", "--static")
    found = json.loads(onnxfix(*arguments, "--format", "json").stdout)["models"][0]["diagnostics"]
    kinds = {item["code"]: (item["level"], item["kind"]) for item in found}
    assert kinds["OFX748"] == ("error", "silent_wrong")  # layout = 1, taken for 0
    assert kinds["OFX829"] == ("error", "silent_wrong")  # a foreign Relu, taken for the standard's
    assert kinds["OFX792"] == ("note", "precision")
    assert "OFX748 silent error [*]" in onnxfix(*arguments).stdout


def test_two_hundred_malformed_files_are_one_line_each(onnxfix: Command, models: Path) -> None:
    whole = onnx.parser.parse_model(STUCK).SerializeToString()
    bad = models / "bad"
    bad.mkdir()
    draw = random.Random(6)
    for number in range(200):
        data = bytearray(whole[: draw.randrange(1, len(whole))])
        for _ in range(draw.randrange(4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        (bad / f"{number:03}.onnx").write_bytes(data)
    done = onnxfix("check", "bad", "--target", "trt8.6,rtx1.7", "--static", "--format", "json")
    document = json.loads(done.stdout)
    lines = done.stderr.splitlines()
    assert lines == [f"onnxfix: {error}" for error in document["errors"]]
    assert all("Traceback" not in line and len(line) < 500 for line in lines)
    assert len(lines) + len({report["model"] for report in document["models"]}) == 200
    assert done.returncode == 2
