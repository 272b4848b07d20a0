"""An S3 on this machine: models repaired from bucket to bucket by the command, killed and gone on with."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import onnx
import pytest
from batch_runs import SICK, lines, performed, run, start, wait_until
from stored import model

_WHY = "the tests of S3 need it: pip install 'onnxfix[dev]'"
s3fs = pytest.importorskip("s3fs", reason=_WHY)
pytest.importorskip("flask_cors", reason=_WHY)
moto = pytest.importorskip("moto.server", reason=_WHY)

QUICK = ("--target", "rtx1.7", "--verify", "none")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an empty S3."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    s3 = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    host, port = s3.get_host_and_port()
    yield f"http://{host}:{port}"
    s3.stop()


def use(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and its children find S3 at an address, as users do: by the environment."""
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")
    for name, value in zip(keys, ("key", "secret-key", "us-east-1", address), strict=True):
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system of S3, with an empty bucket `models`."""
    use(server, monkeypatch)
    system = s3fs.S3FileSystem(use_listings_cache=False)
    system.mkdir("models")
    yield system
    system.rm("models", recursive=True)


def upload(system: Any, *names: str, text: str = SICK) -> None:
    data = onnx.parser.parse_model(text).SerializeToString()
    system.pipe({f"models/{name}": data for name in names})


def found(system: Any, folder: str) -> list[str]:
    return sorted(name.removeprefix(f"models/{folder}/") for name in system.find(f"models/{folder}"))


def test_a_folder_is_repaired_from_bucket_to_bucket(bucket: Any, folder: Path) -> None:
    upload(bucket, "in/a.onnx", "in/deep/b.onnx", "in/crash.onnx")
    bucket.pipe("models/in/text.onnx", b"no model")
    command = ("repair", "s3://models/in", "-o", "s3://models/out", "--jobs", "2", "--journal", "j.jsonl", *QUICK)
    first = run(folder, *command)
    assert first.returncode == 2
    assert "4 models: 2 repaired, 2 failed" in first.stdout
    assert "s3://models/in/text.onnx: is a text file" in first.stderr
    assert "onnxfix-far" not in first.stdout + first.stderr + (folder / "j.jsonl").read_text()
    assert found(bucket, "out") == ["a.onnx", "deep/b.onnx"]
    onnx.checker.check_model(onnx.load_from_string(bucket.cat("models/out/deep/b.onnx")), full_check=True)
    begun = len(performed(folder))
    assert "4 known before" in run(folder, *command).stdout
    assert len(performed(folder)) == begun


def test_a_changed_model_is_done_again(bucket: Any, folder: Path) -> None:
    upload(bucket, "in/a.onnx", "in/b.onnx")
    command = ("repair", "s3://models/in/*.onnx", "-o", "s3://models/out", "--journal", "j.jsonl", *QUICK)
    run(folder, *command)
    upload(bucket, "in/a.onnx", text=SICK.replace("g (", "h ("))
    assert "1 known before" in run(folder, *command).stdout
    bucket.rm("models/out/b.onnx")
    assert "1 known before" in run(folder, *command).stdout
    assert found(bucket, "out") == ["a.onnx", "b.onnx"]


def test_a_batch_that_was_killed_goes_on(bucket: Any, folder: Path) -> None:
    names = [f"slow{number}.onnx" for number in range(8)]
    upload(bucket, *(f"in/{name}" for name in names))
    command = ("repair", "s3://models/in", "-o", "s3://models/out", "--jobs", "2", "--journal", "j.jsonl", *QUICK)
    process = start(folder, *command)
    assert wait_until(lambda: (folder / "j.jsonl").exists() and b"\n" in (folder / "j.jsonl").read_bytes())
    process.kill()
    process.communicate()
    for name in found(bucket, "out"):
        onnx.load_from_string(bucket.cat(f"models/out/{name}"))
    done = run(folder, *command)
    assert done.returncode == 0
    places = [line["place"] for line in lines(folder / "j.jsonl")]
    assert sorted(places) == sorted(f"s3://models/in/{name}" for name in names)
    assert found(bucket, "out") == names


ODD = (
    "a#b.onnx",
    "a%20b.onnx",
    "a+b&c=d@e.onnx",
    "a.onnx",
    "a?b.onnx",
    "a?c.onnx",
    "b [1].onnx",
    "q?r/*.onnx",
    "ä🦊.onnx",
)


def test_names_are_exact_whatever_their_characters(bucket: Any, folder: Path) -> None:
    upload(bucket, *(f"in/{name}" for name in ODD))
    command = ("repair", "s3://models/in", "-o", "s3://models/out", "--jobs", "2", "--journal", "j.jsonl", *QUICK)
    first = run(folder, *command)
    assert (first.returncode, "9 repaired" in first.stdout) == (0, True), first.stderr
    assert found(bucket, "out") == sorted(ODD)
    done = {line["place"]: line for line in lines(folder / "j.jsonl")}
    assert sorted(done) == sorted(f"s3://models/in/{name}" for name in ODD)
    for name in ODD:
        line = done[f"s3://models/in/{name}"]
        report = line["report"]
        assert (report["model"], report["output"]) == (line["place"], f"s3://models/out/{name}")
        assert list(line["written"]) == [report["output"]]
    assert "9 known before" in run(folder, *command).stdout
    bucket.rm_file("models/out/a?b.onnx")
    assert "8 known before" in run(folder, *command).stdout
    assert run(folder, "repair", "s3://models/in", "-o", "here", *QUICK).returncode == 0
    assert sorted(path.relative_to(folder / "here").as_posix() for path in (folder / "here").rglob("*.onnx")) == sorted(
        ODD
    )
    assert run(folder, "repair", "here", "-o", "s3://models/back", *QUICK).returncode == 0
    assert found(bucket, "back") == sorted(ODD)


@pytest.mark.parametrize("name", ODD)
def test_one_model_by_its_exact_name(bucket: Any, folder: Path, name: str) -> None:
    upload(bucket, f"in/{name}", "in/a1b.onnx", "in/b 1.onnx", "in/q1r/x.onnx")
    place = f"s3://models/in/{name}"
    shown = run(folder, "check", place, "--target", "rtx1.7", "--static", "--format", "json")
    assert [report["model"] for report in json.loads(shown.stdout)["models"]] == [place], shown.stderr
    done = run(folder, "repair", place, "--format", "jsonl", *QUICK)
    assert json.loads(done.stdout)["report"]["output"] == place.replace(".onnx", ".fixed.onnx"), done.stderr
    assert bucket.exists(f"models/in/{name.replace('.onnx', '.fixed.onnx')}")


def test_a_pattern_takes_a_question_mark_for_itself(bucket: Any, folder: Path) -> None:
    upload(bucket, "q?r/a.onnx", "qxr/b.onnx")
    shown = run(folder, "check", "s3://models/q?r/*.onnx", "--target", "rtx1.7", "--static", "--format", "json")
    assert [report["model"] for report in json.loads(shown.stdout)["models"]] == ["s3://models/q?r/a.onnx"]


def test_a_name_that_leads_out_of_the_output_is_refused(bucket: Any, folder: Path) -> None:
    upload(bucket, "in/a.onnx", "in/../../../evil.onnx")
    done = run(folder, "repair", "s3://models/in", "-o", "out", *QUICK)
    assert done.returncode == 2
    assert done.stderr == "onnxfix: out: is no folder for '../../../evil.onnx', which leads out of it (choose a URL)\n"
    assert not list(folder.rglob("*.onnx"))


@pytest.mark.parametrize("options", [(), ("--in-place",), ("-o", "s3://models/out/m.onnx"), ("-o", "here.onnx")])
def test_one_model_with_weights(bucket: Any, folder: Path, options: tuple[str, ...]) -> None:
    local = model(folder / "local")
    proto = onnx.load(local, load_external_data=False)
    proto.graph.node.add(op_type="Identity", input=["y"], output=["z"])
    proto.graph.output[0].name = "z"
    local.write_bytes(proto.SerializeToString())
    bucket.put([str(folder / "local" / name) for name in ("m.onnx", "w.bin")], ["models/in/m.onnx", "models/in/w.bin"])
    done = run(folder, "repair", "s3://models/in/m.onnx", *options, "--opset", "17", "--format", "json", *QUICK)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    goal = "s3://models/in/m.fixed.onnx" if not options else report["model"] if len(options) == 1 else options[1]
    assert (report["model"], report["output"]) == ("s3://models/in/m.onnx", goal)
    shown = run(folder, "show", goal, "--format", "json")
    assert json.loads(shown.stdout)["opsets"] == {"ai.onnx": 17}
    assert run(folder, "diff", "s3://models/in/m.onnx", goal, "-q").returncode == (0 if "--in-place" in options else 1)
    assert len([name for name in found(bucket, "in") if name.endswith(".bin")]) == 1


def test_a_store_that_denies_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Denying(BaseHTTPRequestHandler):
        """Answers every request as S3 does for a key without rights."""

        def do_GET(self) -> None:
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Denying) as denying:
        Thread(target=denying.serve_forever, daemon=True).start()
        use(f"http://127.0.0.1:{denying.server_port}", monkeypatch)
        (folder / "m.onnx").write_bytes(onnx.parser.parse_model(SICK).SerializeToString())
        for command in (("check", "s3://models/m.onnx"), ("repair", "m.onnx", "-o", "s3://models/m.onnx", *QUICK)):
            done = run(folder, *command)
            assert done.returncode == 2
            assert "s3://models/m.onnx: the store denies it" in done.stderr
            assert done.stderr.count("\n") == 1
            assert "secret-key" not in done.stderr
        denying.shutdown()
