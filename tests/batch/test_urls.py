"""URLs as text: what is one, how it is shown, and its neighbours."""

from __future__ import annotations

import pytest

from onnxfix.batch.urls import beside, harmless, is_remote, label, name_of, scheme_of

PLACES = {
    "s3://bucket/nets/a.onnx": ("s3", "a.onnx", "s3://bucket/nets/w.bin"),
    "memory://a.onnx": ("memory", "a.onnx", "memory://w.bin"),
    "https://host/a.onnx?sv=1&sig=xyz": ("https", "a.onnx", "https://host/w.bin?sv=1&sig=xyz"),
    "zip://nets/a.onnx::s3://bucket/all.zip": ("zip", "a.onnx", "zip://nets/w.bin::s3://bucket/all.zip"),
    "s3://b/q?r/a?#% ä.onnx": ("s3", "a?#% ä.onnx", "s3://b/q?r/w.bin"),
    "s3://b/q?r/a.onnx?versionId=7": ("s3", "a.onnx", "s3://b/q?r/w.bin?versionId=7"),
    "zip://q?r/a?.onnx::https://h/all.zip?sig=x": ("zip", "a?.onnx", "zip://q?r/w.bin::https://h/all.zip?sig=x"),
    "sftp://host/a.onnx?x": ("sftp", "a.onnx", "sftp://host/w.bin?x"),
    "simplecache::gs://bucket/a.onnx": ("gs", "a.onnx", "simplecache::gs://bucket/w.bin"),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_parts_of_a_url(place: str) -> None:
    assert is_remote(place)
    assert (scheme_of(place), name_of(place), beside(place, "w.bin")) == PLACES[place]


@pytest.mark.parametrize("place", ["a.onnx", "/nets/a.onnx", "C://nets/a.onnx", "C:\\a.onnx", "nets::a", "", "s3:/b/a"])
def test_paths_are_no_urls(place: str) -> None:
    assert not is_remote(place)
    assert label(place) == place


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("sftp://user:secret@host/a.onnx", "sftp://host/a.onnx"),
        ("https://token@host/a.onnx?sig=secret", "https://host/a.onnx"),
        ("zip://a.onnx::ftp://user:secret@host/all.zip", "zip://a.onnx::ftp://host/all.zip"),
        (
            "abfs://container@account.dfs.core.windows.net/a.onnx",
            "abfs://container@account.dfs.core.windows.net/a.onnx",
        ),
        ("hf://user/net@main/a.onnx", "hf://user/net@main/a.onnx"),
        ("s3://bucket/q?r/a?b#c%20.onnx", "s3://bucket/q?r/a?b#c%20.onnx"),
        ("zip://a?.onnx::https://user:secret@host/all.zip?sig=secret", "zip://a?.onnx::https://host/all.zip"),
    ],
)
def test_credentials_are_not_shown(place: str, shown: str) -> None:
    assert label(place) == shown
    assert harmless(f"GET '{place}' failed") == f"GET '{shown}' failed"
