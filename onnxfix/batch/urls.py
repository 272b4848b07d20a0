"""Places in stores, as text: which place is a URL, how it is shown, and its neighbours."""

from __future__ import annotations

import re

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_READ_ONLY = ("http", "https", "data", "zip", "tar", "git", "github", "gist")
_CONTAINERS = ("abfs", "abfss", "wasb", "wasbs")
"""Schemes of Azure, where the part before the @ is a container and no user."""


def is_remote(place: object) -> bool:
    """Whether a place is a URL, such as `s3://bucket/model.onnx`; a drive letter is none."""
    return bool(_URL.match(str(place)))


def label(place: str) -> str:
    """A place as it may be shown: a URL without user, password and query, which may be credentials."""
    return "::".join(map(_label, place.split("::"))) if is_remote(place) else place


def _label(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return scheme + mark + (host if scheme in _CONTAINERS else host.rpartition("@")[2]) + slash + path


def harmless(text: str) -> str:
    """The words of somebody's error with every URL in them as its label."""
    return re.sub(r"[a-z][a-z0-9+.-]+://[^\s'\"<>]+", lambda match: label(match[0]), text, flags=re.IGNORECASE)


def scheme_of(place: str) -> str:
    """`s3` of `s3://bucket/model.onnx`; of a chain, such as `zip://a.onnx::s3://bucket/a.zip`, the first."""
    return place.partition("://")[0].rpartition("::")[2].lower()


def is_read_only(place: str) -> bool:
    """Whether nothing can be written there: archives, web pages, git."""
    return is_remote(place) and scheme_of(place) in _READ_ONLY


def head_of(place: str) -> str:
    """`zip://nets/a.onnx` of `zip://nets/a.onnx::s3://bucket/nets.zip`: a URL without the chain behind it."""
    return place[:stop] if (stop := place.find("::", place.index("://"))) >= 0 else place


def name_of(place: str) -> str:
    """`model.onnx` of `s3://bucket/model.onnx?version=2`."""
    return _parts(place)[1]


def beside(place: str, name: str) -> str:
    """The place of the file `name`, which may lie in folders, beside another one."""
    head, _, tail = _parts(place)
    return f"{head}{name}{tail}"


def _parts(place: str) -> tuple[str, str, str]:
    """A URL as what is before the name of its file, that name, and what is behind it."""
    start = place.index("://") + 3
    stop = next((at for at, sign in enumerate(place) if at >= start and place.startswith(("?", "::"), at)), len(place))
    cut = max(start, place.rfind("/", start, stop) + 1)
    return place[:cut], place[cut:stop], place[stop:]
