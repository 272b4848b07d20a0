"""Places in stores, as text: which place is a URL, how it is shown, and its neighbours."""

from __future__ import annotations

import re

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_READ_ONLY = ("http", "https", "data", "zip", "tar", "git", "github", "gist")
_CONTAINERS = ("abfs", "abfss", "wasb", "wasbs")
"""Schemes of Azure, where the part before the @ is a container and no user."""

_ANY_NAME = ("s3", "s3a", "gs", "gcs", "oss", "hf", "file", "local", "memory", "zip", "tar")
"""Schemes where a ? is a character of a name, as fsspec's drivers read them; elsewhere a query begins with it."""

_VERSION = "?versionId="
"""What the drivers of S3 take for the version of an object, and no part of its name."""


def is_remote(place: object) -> bool:
    """Whether a place is a URL, such as `s3://bucket/model.onnx`; a drive letter is none."""
    return bool(_URL.match(str(place)))


def label(place: str) -> str:
    """A place as it may be shown: a URL without user, password and query, which may be credentials.

    What stores take for a part of the name stays, whatever its characters are.
    """
    return "::".join(map(_label, place.split("::"))) if is_remote(place) else place


def _label(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    host, slash, path = (rest if has_any_name(url) else rest.partition("?")[0]).partition("/")
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


def has_any_name(place: str) -> bool:
    """Whether a ? in a URL is a character like others."""
    return scheme_of(place) in _ANY_NAME


def is_pattern(place: str) -> bool:
    """Whether a URL may stand for several files: a * or a [ in it; a ? is in the names of files, or begins a query."""
    return any(sign in head_of(place) for sign in "*[")


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
    ends = (_VERSION if has_any_name(place) else "?", "::")
    stop = min((at for end in ends if (at := place.find(end, start)) >= 0), default=len(place))
    cut = max(start, place.rfind("/", start, stop) + 1)
    return place[:cut], place[cut:stop], place[stop:]
