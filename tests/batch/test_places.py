"""Which models are meant, and where their results go."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfix.batch.outputs import outputs, without_results
from onnxfix.batch.places import Place, found, is_many
from onnxfix.errors import ModelFileError, OnnxfixError


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """nets/a.onnx, nets/deep/b.onnx, nets/deep/c.onnx and c.onnx, in the working directory."""
    for name in ("nets/a.onnx", "nets/deep/b.onnx", "nets/deep/c.onnx", "c.onnx", "nets/text.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*words: str) -> dict[str, str]:
    return {place.path: place.name for place in found(words)}


def test_folders_patterns_and_files() -> None:
    below = {"nets/a.onnx": "a.onnx", "nets/deep/b.onnx": "deep/b.onnx", "nets/deep/c.onnx": "deep/c.onnx"}
    assert names("nets") == names("nets/") == names("./nets") == names("nets/**/*.onnx") == below
    assert names("nets/*.onnx") == {"nets/a.onnx": "a.onnx"}
    assert names("nets/*/c.onnx") == {"nets/deep/c.onnx": "deep/c.onnx"}
    assert names("nets/a.onnx") == {"nets/a.onnx": "a.onnx"}
    assert names("nets/a.onnx", "nets/deep/b.onnx") == {"nets/a.onnx": "a.onnx", "nets/deep/b.onnx": "deep/b.onnx"}
    assert names("c.onnx", "nets/a.onnx") == {"c.onnx": "c.onnx", "nets/a.onnx": "nets/a.onnx"}
    assert names("nets/deep", "nets/a.onnx") == dict(sorted(below.items(), key=lambda item: item[1] == "a.onnx"))
    assert names("nets", "c.onnx") == {path: path for path in (*below, "c.onnx")}  # as in the folder of both
    assert names(os.path.abspath("nets")) == {os.path.abspath(path): name for path, name in below.items()}  # noqa: PTH100
    assert names("absent.onnx") == {"absent.onnx": "absent.onnx"}  # told when it is read


def test_each_model_once_in_the_order_named() -> None:
    assert list(names("nets/deep", "nets", "./nets/a.onnx", "nets/deep/../a.onnx")) == [
        "nets/deep/b.onnx",
        "nets/deep/c.onnx",
        "nets/a.onnx",
    ]


def test_a_list(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "models.txt").write_text("# two\n\nc.onnx\n  nets/deep  \r\nnets/a*.onnx\n")
    paths = ["c.onnx", "nets/deep/b.onnx", "nets/deep/c.onnx", "nets/a.onnx"]
    assert list(names("@models.txt")) == paths
    (tree / "#\n c.onnx").write_bytes(b"")
    for text in (b"c.onnx\nnets/a.onnx", b"\xef\xbb\xbfc.onnx\r\nnets/a.onnx\r\n", b"c.onnx\0nets/a.onnx\0"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        assert names("@-") == {"c.onnx": "c.onnx", "nets/a.onnx": "nets/a.onnx"}
    (tree / "zeros.txt").write_bytes(b"#\n c.onnx\0")  # a name that a list of lines cannot have
    assert list(names("@zeros.txt")) == ["#\n c.onnx"]
    (tree / "@c.onnx").write_bytes(b"")
    assert names("@c.onnx") == {"@c.onnx": "@c.onnx"}  # a file of that name is a model


def test_what_is_nothing(tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "bad.txt").write_bytes(b"\xff\xfe")
    for word, said in (("empty", "holds no .onnx file"), ("none*.onnx", "matches no file")):
        with pytest.raises(ModelFileError, match=f"{word[:4]}.*: {said}"):
            found([word])
    for word, said in (("@absent.txt", "absent.txt: cannot be read: No such file"), ("@bad.txt", "no text in UTF-8")):
        with pytest.raises(OnnxfixError, match=said):
            found([word])
    (tree / "empty.txt").write_text("# nothing\n")
    with pytest.raises(OnnxfixError, match=r"empty.txt: names no model"):
        found(["@empty.txt"])
    (tree / "lists.txt").write_text("@empty.txt\n")
    with pytest.raises(OnnxfixError, match=r"lists.txt: names another list, @empty.txt \(give both: "):
        found(["@lists.txt"])


def test_a_link_to_nothing_is_a_model(tree: Path) -> None:
    """git-annex leaves such links for what it has not fetched."""
    (tree / "nets/annexed.onnx").symlink_to("../.git/annex/objects/absent")
    assert "nets/annexed.onnx" in names("nets")
    assert "nets/annexed.onnx" in names("nets/*.onnx")


def test_many_or_one() -> None:
    assert not is_many(["c.onnx"])
    assert not is_many(["absent.onnx"])
    assert not is_many(["s3://bucket/c.onnx"])
    for words in (
        ["nets"],
        ["*.onnx"],
        ["c.onnx", "nets/a.onnx"],
        ["@models.txt"],
        ["s3://bucket/nets/"],
        ["s3://b/*.onnx"],
    ):
        assert is_many(words)


def goals(*words: str, output: str = "", in_place: bool = False, cut: bool = False) -> dict[str, str | None]:
    return outputs(without_results(found(words), output), output, in_place=in_place, cut=cut)


def test_the_tree_is_mirrored() -> None:
    assert goals("nets", output="out") == {
        "nets/a.onnx": "out/a.onnx",
        "nets/deep/b.onnx": "out/deep/b.onnx",
        "nets/deep/c.onnx": "out/deep/c.onnx",
    }
    assert goals("nets/a.onnx", "c.onnx", output="out")["nets/a.onnx"] == "out/nets/a.onnx"
    assert goals("nets", output="s3://bucket/out/")["nets/deep/b.onnx"] == "s3://bucket/out/deep/b.onnx"
    assert set(goals("nets").values()) == {None}


def test_two_results_never_meet(tree: Path) -> None:
    assert goals("*.onnx", "nets/deep", output="out")["nets/deep/c.onnx"] == "out/nets/deep/c.onnx"
    (tree / "link.onnx").symlink_to("c.onnx")
    with pytest.raises(OnnxfixError, match=r"link.onnx: is one file with c.onnx \(name one of them\)"):
        goals("c.onnx", "link.onnx", in_place=True)
    (tree / "c.rest.onnx").write_bytes(b"")
    assert goals("c.onnx", "c.rest.onnx", output="out")
    with pytest.raises(
        OnnxfixError,
        match=r"out/c.rest.onnx: the results of c.onnx and c.rest.onnx would both go there "
        r"\(repair them in two runs, each with an -o of its own\)",
    ):
        goals("c.onnx", "c.rest.onnx", output="out", cut=True)


def test_no_model_is_written_over(tree: Path) -> None:
    (tree / "c.fixed.onnx").write_bytes(b"")
    with pytest.raises(OnnxfixError, match=r"c.fixed.onnx: is a model itself, and the result of c.onnx would replace"):
        goals("c.onnx", "c.fixed.onnx")
    with pytest.raises(OnnxfixError, match=r"nets/a.onnx: is a model itself, and the result of nets/a.onnx"):
        goals("nets", output="nets")
    assert goals("nets", in_place=True)


def test_results_of_earlier_runs_are_left_out(tree: Path) -> None:
    for name in ("nets/a.fixed.onnx", "nets/a.fixed.rest.onnx", "nets/out/a.onnx"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_bytes(b"")
    assert "nets/a.fixed.onnx" not in goals("nets")
    assert "nets/a.fixed.rest.onnx" not in goals("nets/**/*.onnx")
    assert "nets/out/a.onnx" in goals("nets")
    assert "nets/out/a.onnx" not in goals("nets", output="nets/out")
    assert list(goals("nets/a.fixed.onnx")) == ["nets/a.fixed.onnx"]  # named itself
    assert "nets/a.fixed.onnx" in names("nets")  # check looks at them


@given(st.sets(st.lists(st.sampled_from(["a", "b", "c.fixed"]), min_size=1, max_size=3).map("/".join), min_size=1))
def test_results_of_a_tree_are_apart(paths: set[str]) -> None:
    places = [Place(f"in/{path}.onnx", f"{path}.onnx", scanned=True) for path in sorted(paths)]
    kept = without_results(places, "out")
    assert {place.name for place in places} - {p.name for p in kept} == {
        f"{p}.onnx" for p in paths if p.endswith("fixed")
    }
    given_goals = outputs(kept, "out", in_place=False, cut=True)
    assert len(set(given_goals.values())) == len(kept)
    assert all(goal == f"out/{path.removeprefix('in/')}" for path, goal in given_goals.items())
