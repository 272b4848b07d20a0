"""`check` and `repair` of many models from the outside: what is printed, in which order, and the exit code."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from zipfile import ZipFile

import onnx
import pytest
from batch_runs import QUICK, SICK, WELL, lines, performed, run, save

DOCS = Path(__file__).parent.parent.parent / "docs"
STATIC = ("--static", "--target", "rtx1.7")

STUCK = """<ir_version: 8, opset_import: ["" : 17]>
g (float[5] x) => (float[N] y) { y = Unique (x) }"""


@pytest.fixture
def models(folder: Path) -> Path:
    """nets/well.onnx, nets/sick.onnx, nets/deep/sick.onnx, nets/text.onnx."""
    save(folder, "nets/sick.onnx", "nets/deep/sick.onnx")
    save(folder, "nets/well.onnx", text=WELL)
    (folder / "nets/text.onnx").write_text("no model")
    return folder


def test_a_tree_is_repaired_into_another(models: Path) -> None:
    done = run(models, "repair", "nets", "-o", "out", *QUICK, "--jobs", "2")
    assert done.returncode == 2
    assert done.stderr == "onnxfix: nets/text.onnx: is a text file, not an ONNX model (name the .onnx file)\n"
    headers = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("nets/")]
    assert headers == ["nets/deep/sick.onnx", "nets/sick.onnx", "nets/well.onnx"]
    assert re.search(r"^4 models: 2 repaired, 1 ready, 1 failed   \d+\.\d s$", done.stdout, re.M)
    assert "Rules applied: OFX001 in 2\n" in done.stdout
    assert re.search(r"^Slowest: nets/\S+ \d+\.\d s, nets/", done.stdout, re.M)
    assert onnx.load(models / "out" / "deep" / "sick.onnx").graph.node[0].op_type == "Resize"
    assert onnx.load(models / "out" / "well.onnx").graph.node[0].op_type == "Relu"
    assert not (models / "out" / "text.onnx").exists()


def test_beside_in_place_and_again(models: Path) -> None:
    (models / "nets/text.onnx").unlink()
    assert run(models, "repair", "nets", *QUICK).returncode == 0
    assert (models / "nets/deep/sick.fixed.onnx").exists()
    again = run(models, "repair", "nets", *QUICK, "--in-place")
    assert "onnxfix: note: left out: 2 results of earlier runs\n" in again.stderr
    assert "3 models: 2 repaired, 1 ready" in again.stdout
    assert onnx.load(models / "nets/sick.onnx").graph.node[0].op_type == "Resize"
    assert "3 models: 3 ready" in run(models, "repair", "nets", *QUICK, "--in-place").stdout


def test_folders_with_models_of_one_name(models: Path) -> None:
    """What was named keeps its path below the folder that all of it is in, in archives as well."""
    with ZipFile(models / "nets.zip", "w") as archive:
        for name in ("nets/sick.onnx", "nets/deep/sick.onnx"):
            archive.write(models / name, name)
    for output, words in (("out", ("nets/*.onnx", "nets/deep")), ("unzipped", ("zip://nets::nets.zip",))):
        run(models, "repair", *words, "-o", output, *QUICK)
        assert (models / output / "sick.onnx").is_file()
        assert (models / output / "deep" / "sick.onnx").is_file()


def test_one_model_into_a_folder(models: Path) -> None:
    """A pattern of the shell may match a single model."""
    (models / "out").mkdir()
    for options in ((), ("--journal", "j.jsonl")):
        assert run(models, "repair", "nets/sick.onnx", "-o", "out", *QUICK, *options).returncode == 0
        assert (models / "out/sick.onnx").is_file()
        (models / "out/sick.onnx").unlink()
    again = run(models, "repair", "nets/sick.onnx", "-o", "nets/", *QUICK)
    assert "nets/sick.onnx: is the input itself (use --in-place to replace it)" in again.stderr
    assert run(models, "repair", "nets/sick.onnx", "-o", f"file://{models}/far/", *QUICK).returncode == 0
    assert (models / "far/sick.onnx").is_file()


@pytest.mark.skipif(os.name != "posix", reason="file names that are bytes")
def test_names_that_are_no_text(folder: Path) -> None:
    save(folder, os.fsdecode(b"nets/\xff.onnx"), "nets/ \n\t'.onnx")
    for known in ("", ", 2 known before"):
        done = run(folder, "repair", "nets", "-o", "out", *QUICK, "--journal", "j.jsonl")
        assert f"2 models: 2 repaired{known} " in done.stdout
    assert {os.fsencode(path.name) for path in (folder / "out").iterdir()} == {b"\xff.onnx", b" \n\t'.onnx"}
    assert "nets/%FF.onnx" in run(folder, "check", "nets", *STATIC, "--format", "sarif").stdout


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nets", "-o", "nets"), "nets/deep/sick.onnx: is a model itself"),
        (("nets", "-o", "nets/sick.onnx"), "nets/sick.onnx: is a file; several models need a folder"),
        (("nets", "--html", "a.html"), "--html: draws one model (repair that model alone, "),
        (("nets", "--select", "NONE"), "no rule is called 'NONE'"),
        (("nets", "--target", "trt99"), "trt99"),
        (
            ("nets", "-o", "nets/sick.onnx/out"),
            "nets/sick.onnx/out: cannot be written: Not a directory (choose another",
        ),
        (("zip://nets::nets.zip",), "zip://nets/sick.onnx::nets.zip: nothing can be written to zip:// (give an -o)"),
        (("zip://nets/sick.onnx::nets.zip",), "nothing can be written to zip:// (give an -o)"),
        (("@absent.txt",), "absent.txt: cannot be read: No such file or directory"),
        (("nets", "--journal", "nets/sick.onnx"), "nets/sick.onnx:1: is no journal of onnxfix"),
        (("nets", "--jobs", "0"), "'0' is not a number from 1 on"),
        (("nets", "--time-limit", "0"), "'0' leaves no time"),
        (("nets", "--time-limit", "nan"), "'nan' is not a number of seconds"),
        (("nets", "--ray", ""), "names no cluster"),
        (("nets", "--retry"), "--retry: looks for failures in a journal (name it with --journal)"),
        (("nets", "--memory", "many"), "'many' is not a size such as 8GiB or 500MB"),
    ],
)
def test_what_is_refused_before_anything_is_done(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    with ZipFile(folder / "nets.zip", "w") as archive:
        archive.write("nets/sick.onnx")
    before = sorted(folder.rglob("*"))
    done = run(folder, "repair", *arguments, "--verify", "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[-1]
    assert sorted(folder.rglob("*")) == before


@pytest.mark.usefixtures("models")
def test_one_document(folder: Path) -> None:
    done = run(folder, "repair", "nets", *QUICK, "--dry-run", "--format", "json")
    document = json.loads(done.stdout)
    assert [report["model"] for report in document["models"]] == [
        "nets/deep/sick.onnx",
        "nets/sick.onnx",
        "nets/well.onnx",
    ]
    assert [error.split(":")[0] for error in document["errors"]] == ["nets/text.onnx"]
    assert done.returncode == document["exit_code"] == 2


def test_a_report_is_the_same_in_both_schemas() -> None:
    own, other = (json.loads((DOCS / f"{name}.schema.json").read_text())["$defs"] for name in ("batch", "check"))
    shared = ("report", "summary", "diagnostic")
    assert [own[name] for name in shared] == [other[name] for name in shared]


@pytest.mark.parametrize("verb", ["check", "repair"])
def test_lines_keep_to_their_schema(models: Path, verb: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    save(models, "nets/crash.onnx", "nets/hang.onnx", "nets/bug.onnx")
    save(models, "nets/stuck.onnx", text=STUCK)
    options = STATIC if verb == "check" else QUICK
    done = run(models, verb, "nets", *options, "--format", "jsonl", "--journal", "j.jsonl", "--time-limit", "15")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert printed == lines(models / "j.jsonl")
    validator = jsonschema.Draft202012Validator(json.loads((DOCS / "batch.schema.json").read_text()))
    for line in printed:
        validator.validate(line)
    found = {Path(line["place"]).stem: line.get("error", {}).get("kind", line["outcome"]) for line in printed}
    sick = "repairable" if verb == "check" else "repaired"
    planted = {"text": "unreadable", "crash": "crashed", "hang": "timeout", "bug": "internal"}
    assert found == {"sick": sick, "well": "ready", "stuck": "blocked", **planted}
    assert done.returncode == 2
    assert "8 models: " in done.stderr


def test_check_prints_the_same_with_any_number_of_workers(models: Path) -> None:
    """As it did before there were workers: in the order of the models, whoever is done first."""
    save(models, "nets/a-slow.onnx")
    (models / "nets/a-slow.onnx").rename(models / "nets/deep/slow.onnx")
    alone = [
        run(models, "check", f"nets/{name}.onnx", *STATIC)
        for name in ("deep/sick", "deep/slow", "sick", "text", "well")
    ]
    texts = [run(models, "check", "nets", *STATIC, "--no-cache", "--jobs", str(jobs)) for jobs in (1, 3)]
    assert {done.stdout for done in texts} == {"".join(done.stdout for done in alone)}
    assert all(alone[3].stderr in done.stderr for done in texts)
    for form in ("json", "sarif", "junit", "github", "markdown"):
        every = {run(models, "check", "nets", *STATIC, "--jobs", str(jobs), "--format", form).stdout for jobs in (1, 3)}
        assert len(every) == 1
    assert performed(models)


def test_one_model_needs_no_worker(models: Path) -> None:
    run(models, "check", "nets/sick.onnx", *STATIC)
    run(models, "repair", "nets/sick.onnx", *QUICK, "--journal", "j.jsonl", "-o", "out.onnx")
    assert performed(models) == []
    assert lines(models / "j.jsonl")[0]["outcome"] == "repaired"
    assert (models / "out.onnx").is_file()


def test_a_hundred_cached_models_start_no_worker(folder: Path) -> None:
    names = [f"nets/{number}.onnx" for number in range(100)]
    save(folder, *names)
    for number, name in enumerate(names):  # a hundred different files
        (folder / name).write_bytes(onnx.parser.parse_model(SICK.replace(" y", f" y{number}")).SerializeToString())
    first = run(folder, "check", "nets", *STATIC)
    assert len(performed(folder)) == 100
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    again = run(folder, "check", "nets", *STATIC)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert again.stdout == first.stdout
    assert len(performed(folder)) == 100
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1  # seconds


def test_the_lines_of_a_list_are_checked(models: Path) -> None:
    (models / "models.txt").write_text("nets/well.onnx\nnets/deep\n")
    done = run(models, "check", "@models.txt", *STATIC, "--format", "json")
    assert [report["model"] for report in json.loads(done.stdout)["models"]] == [
        "nets/well.onnx",
        "nets/deep/sick.onnx",
    ]
