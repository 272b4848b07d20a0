"""extract, reduce, report and check --run as a user runs them."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import onnx
import pytest

from onnxfix.cli.app import main

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
FLOW = "g (float[2] x) => (float[2] y) { [first] a = Abs(x) [second] b = Neg(a) [third] c = Log(b) [last] y = Relu(c) }"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + FLOW), file)
    return file


def test_extract(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.onnx"
    assert main(["extract", str(model), "--inputs", "a", "--outputs", "b,c", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 nodes extracted" in said and "input  a   float[2]" in said and "output c   float[2]" in said
    assert [node.name for node in onnx.load(out).graph.node] == ["second", "third"]


def test_extract_around_as_json(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out.onnx")
    assert main(["extract", str(model), "--around", "second", "--hops", "1", "-o", out, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["nodes"], report["inputs"], report["outputs"]) == (3, [["x", "float[2]"]], [["c", "float[2]"]])


def test_extract_needs_to_know_what(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", str(model), "-o", str(tmp_path / "out.onnx")]) == 2
    assert capsys.readouterr().err == ("onnxfix: nothing says what to extract (name inputs and outputs, or a node)\n")


def test_reduce(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = "import sys, onnx; sys.exit('Log' in {n.op_type for n in onnx.load(sys.argv[1]).graph.node})"
    out = tmp_path / "small.onnx"
    check = shlex.join([sys.executable, "-c", program])
    assert main(["reduce", str(model), "--check", check, "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "4 nodes -> 1" in said and "third   Log" in said and "exit code 1" in said
    assert [node.op_type for node in onnx.load(out).graph.node] == ["Log"]


def test_reduce_a_model_that_is_well(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reduce", str(model), "--check", f"{sys.executable} -c pass", "-o", str(tmp_path / "s.onnx")]) == 2
    assert "does not fail the check" in capsys.readouterr().err


def test_a_command_that_is_not_there(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reduce", str(model), "--check", "no-such-program", "-o", str(tmp_path / "s.onnx")]) == 2
    assert "no-such-program" in capsys.readouterr().err


def test_check_run(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", x=np.array([1, 2], np.float32))
    arguments = ["--run", "--static", "--inputs", str(tmp_path / "in.npz"), "--plot", str(tmp_path / "p.svg")]
    assert main(["check", str(model), *arguments]) == 1
    said = capsys.readouterr().out
    assert said.index("opset 17") < said.index("first not finite: c, made by Log third: 2 elements NaN")
    assert (tmp_path / "p.svg").read_text().startswith("<svg")
    assert main(["check", str(model), *arguments, "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["runs"][0]["first_not_finite"] == "c" and document["runs"][0]["seeded"] is False
    assert document["models"][0]["summary"]["opset"] == 17 and document["exit_code"] == 1


@pytest.fixture
def served(model: Path) -> Iterator[str]:
    """The URL of the folder of the model."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(model.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_check_run_of_a_url(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{served}/m.onnx", "--run", "--static"]) == 1
    assert f"{served}/m.onnx   4 values watched" in capsys.readouterr().out
    assert main(["check", f"{served}/nothing.onnx", "--run", "--static"]) == 2
    assert capsys.readouterr().err.count(f"{served}/nothing.onnx: no such file") == 1


def test_check_run_says_once_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nothing.onnx"), "--run", "--static"]) == 2
    assert capsys.readouterr().err.count("nothing.onnx: no such file") == 1


def test_a_plot_is_of_one_model(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(onnx.load(model), tmp_path / "again.onnx")
    both = [str(model), str(tmp_path / "again.onnx")]
    assert main(["check", *both, "--run", "--static", "--plot", str(tmp_path / "p.svg")]) == 2
    assert "--plot draws one model" in capsys.readouterr().err and not (tmp_path / "p.svg").exists()


def test_check_run_tells_diagnostics_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = HEAD + "g (float[2,2] x) => (float y) { y = Det(x) }"
    onnx.save(onnx.parser.parse_model(text), tmp_path / "det.onnx")
    assert main(["check", str(tmp_path / "det.onnx"), "--run", "--target", "trt10.13"]) == 1
    said = capsys.readouterr().out
    assert "1 value watched" in said and "OFX" in said


def test_check_run_of_a_model_that_does_not_run(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = model.with_name("odd.onnx")
    onnx.save(onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = NoSuchThing(x) }"), odd)
    assert main(["check", str(odd), str(model), "--run", "--static", "--format", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert "ONNX Runtime does not run it" in document["errors"][0] and len(document["runs"]) == 1


@pytest.mark.parametrize("more", [["--run", "--format", "sarif"], ["--plot", "p.svg"], ["--run", "--statistics"]])
def test_options_that_do_not_go_together(more: list[str], model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(model), *more]) == 2
    assert "--run" in capsys.readouterr().err


def test_report(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorrt_rtx")
    assert main(["report", str(model), "-o", str(tmp_path / "r.md")]) == 0
    assert "Wrote" in capsys.readouterr().out
    assert "does not fail the check `build`" in (tmp_path / "r.md").read_text()


def test_report_of_a_nan(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", x=np.array([1, 2], np.float32))
    words = ["--check", "nan", "--inputs", str(tmp_path / "in.npz"), "-o", str(tmp_path / "r.zip")]
    assert main(["report", str(model), *words]) == 0
    said = capsys.readouterr().out
    assert "fails nan: 'c' holds NaN" in said and "has 1 node" in said and "needs no weights" in said
    assert main(["report", str(model), *words[2:]]) == 2
    assert capsys.readouterr().err == ("onnxfix: --inputs: belongs to the checks numeric and nan (leave it out)\n")


@pytest.mark.parametrize("command", ["extract", "reduce", "report"])
def test_a_url_is_not_taken_for_a_folder(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "s3://bucket/m.onnx", "-o", "o.onnx"]) == 2
    assert "'s3://bucket/m.onnx' is a URL: check, repair, show and diff take one" in capsys.readouterr().err
