"""What stores do not have, do not allow, or lose on the way: one line, nothing half, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import onnx
import pytest
from stored import at, model, upload, write

from onnxfix import scratch
from onnxfix.batch import store
from onnxfix.errors import ModelFileError, OnnxfixError


@pytest.mark.parametrize("name", ["none", "none.onnx", "*.onnx"])
def test_what_is_not_there_is_told(root: str, name: str) -> None:
    with pytest.raises(ModelFileError, match=r"no such file|holds no \.onnx file"):
        store.listing(at(root, name))


def test_nothing_is_fetched_from_outside_the_folder_of_the_model(tmp_path: Path) -> None:
    proto = onnx.load(model(tmp_path / "local"), load_external_data=False)
    for location in ("../secret.bin", str(tmp_path / "secret.bin")):
        proto.graph.initializer[0].external_data[0].value = location
        (tmp_path / "local" / "m.onnx").write_bytes(proto.SerializeToString())
        (tmp_path / "secret.bin").write_bytes(b"secret")
        with store.fetched(f"file://{tmp_path}/local/m.onnx") as copy:
            assert [path.name for path in copy.parent.iterdir()] == ["m.onnx"]
            assert not (copy.parent.parent / "secret.bin").exists()


def test_a_missing_weight_file_is_named(root: str, tmp_path: Path, temporary: Path) -> None:
    upload(model(tmp_path / "local"), root, "m.onnx")
    with pytest.raises(ModelFileError, match=r"w\.bin.*no such file"), store.fetched(at(root, "m.onnx")):
        pass
    assert not list(temporary.iterdir())


def test_what_is_no_model_is_told_under_its_url(temporary: Path) -> None:
    write("memory://user:secret@root/m.onnx", b"<html>")
    with (
        pytest.raises(ModelFileError, match=r"^memory://root/m\.onnx: is an HTML page"),
        store.fetched("memory://user:secret@root/m.onnx"),
    ):
        pass
    assert not list(temporary.iterdir())


def test_a_disk_without_room_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(model(tmp_path / "local"), "memory://full", "m.onnx", "w.bin")
    usage = type("Usage", (), {"free": 15})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(ModelFileError, match="temporary files 15 bytes left"), store.fetched("memory://full/m.onnx"):
        pass


def test_a_model_that_changes_while_it_is_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fsspec.filesystem("memory")
    write("memory://moving/m.onnx", b"1234")
    get = type(memory).get_file

    def racing(self: Any, source: str, target: str, **options: Any) -> None:
        get(self, source, target, **options)
        write("memory://moving/m.onnx", b"5678")

    monkeypatch.setattr(type(memory), "get_file", racing)
    with pytest.raises(ModelFileError, match="changed while it was read"), store.fetched("memory://moving/m.onnx"):
        pass


@pytest.mark.parametrize("failing", [1, 2])
def test_an_upload_that_breaks_leaves_the_old_model(root: str, tmp_path: Path, failing: int, monkeypatch: Any) -> None:
    store.put(model(tmp_path / "old"), at(root, "m.onnx"))
    system = type(fsspec.core.url_to_fs(root)[0])
    put, calls = system.put_file, []

    def breaking(self: Any, source: str, target: str, **options: Any) -> None:
        calls.append(target)
        if len(calls) == failing:
            with self.open(target, "wb") as file:
                file.write(b"half")
            raise OSError("connection lost")
        put(self, source, target, **options)

    monkeypatch.setattr(system, "put_file", breaking)
    with pytest.raises(ModelFileError, match="cannot be written: connection lost"):
        store.put(model(tmp_path / "new", scale=5), at(root, "m.onnx"))
    assert len(calls) == failing
    monkeypatch.undo()
    with store.fetched(at(root, "m.onnx")) as copy:
        assert onnx.numpy_helper.to_array(onnx.load(copy).graph.initializer[0])[0] == 1
    system, path = fsspec.core.url_to_fs(root)
    assert not [name for name in system.find(path) if "onnxfix-tmp" in name]


def test_a_store_that_denies_is_named_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    memory = type(fsspec.filesystem("memory"))

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError("403 for https://key:secret@host/bucket?sig=secret")

    monkeypatch.setattr(memory, "put_file", denied)
    with pytest.raises(ModelFileError) as caught:
        store.put(model(tmp_path / "local"), "memory://key:secret@root/m.onnx")
    assert "memory://root/" in str(caught.value)
    assert "denies" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_can_only_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"https://host/.*https:// is only read"):
        store.put(model(tmp_path / "local"), "https://user:secret@host/m.onnx")


def test_http_tells_what_is_missing_from_what_went_wrong() -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503 if "busy" in self.path else 404)

        do_HEAD = do_GET  # noqa: N815 - as http.server wants it

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}"
        for name, said in (("absent", "no such file"), ("busy", "cannot be listed: 503, ")):
            with pytest.raises(ModelFileError, match=rf"{host}/{name}.onnx: {said}"):
                store.listing(f"{host}/{name}.onnx")
        server.shutdown()
    with pytest.raises(ModelFileError, match=r"cannot be listed: Cannot connect to host"):
        store.listing(f"{host}/absent.onnx")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense://a.onnx", "Protocol not known: nonsense"),
        ("webdav://a.onnx", r"driver of webdav:// is missing \(pip install webdav4"),
    ],
)
def test_a_store_without_a_driver_is_told(url: str, words: str) -> None:
    with pytest.raises(OnnxfixError, match=words):
        store.listing(url)


def test_without_fsspec_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(OnnxfixError, match=r"stores need fsspec, .* \(pip install 'onnxfix\[stores\]'\)"):
        store.listing("s3://bucket")


def test_folders_of_killed_processes_go_and_those_in_use_stay(temporary: Path) -> None:
    code = "import time; from onnxfix.scratch import scratch\n"
    code += "with scratch() as home: print(home, flush=True); time.sleep(99)"
    environment = {**os.environ, "TMPDIR": str(temporary)}
    left = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    homes = [Path(process.stdout.readline().strip()) for process in left if process.stdout]
    try:
        left[0].kill()
        left[0].wait()
        for home in homes:
            os.utime(home.parent, (1, 1))
        with scratch.scratch():
            assert [home.parent.exists() for home in homes] == [False, True]
    finally:
        for process in left:
            process.kill()
            process.communicate()
