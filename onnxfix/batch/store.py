"""Models in stores (`s3://`, `gs://`, `hf://`, what fsspec opens): listed, fetched and put, whole or not at all.

Nothing is ever deleted in a store, except temporary files of this module, and what it is asked to remove.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from onnxfix.batch.urls import beside, harmless, has_any_name, is_pattern, is_read_only, label, name_of, scheme_of
from onnxfix.batch.weights import by_content
from onnxfix.errors import ModelFileError, OnnxfixError
from onnxfix.model import weight_files
from onnxfix.model.file import load_alone
from onnxfix.scratch import scratch

_VERSIONS = (
    *("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "blob_id", "mtime", "LastModified", "last_modified"),
    *("Last-Modified", "updated", "modified", "created"),
)
"""What the stores of fsspec call that which changes with a file, the surest first."""

_WHOLE = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "hf", "oss")
"""Schemes of stores in which a file appears when its upload is complete; elsewhere it is renamed then."""

_AT_ONCE = 8
_GONE = (404, 410)


@dataclass(frozen=True)
class Entry:
    """A model in a store: its URL, bytes (without weight files), and what tells this content from another."""

    place: str
    size: int
    state: str


def listing(place: str) -> list[Entry]:
    """The models behind a URL, in order: of a file itself, of a folder all .onnx below, of a pattern (`*`, `**`, `[`).

    A file whose own name is that of a pattern is itself.  Raises ModelFileError when there is none or the store says
    no, and OnnxfixError when its driver is missing.
    """
    system, path = _opened(place)
    with _told(place, "listed"):
        system.invalidate_cache()
        if is_pattern(place) and not _is_file(system, path):
            pattern = path.replace("?", "[?]") if has_any_name(place) else path
            found = {name: info for name, info in system.glob(pattern, detail=True).items() if info["type"] == "file"}
        elif (info := system.info(path))["type"] == "directory":
            found = {name: info for name, info in system.find(path, detail=True).items() if name.endswith(".onnx")}
        else:
            found = {path: info}
    if not found:
        raise ModelFileError("holds no .onnx file", where=label(place))
    return [Entry(_url(place, system, path, name), _size(info), _state(info)) for name, info in sorted(found.items())]


def _is_file(system: Any, path: str) -> bool:
    """Whether a file has exactly this name."""
    try:
        return bool(system.info(path)["type"] == "file")
    except Exception:  # each driver has exceptions of its own
        return False


def state(place: str) -> str:
    """What tells this content of a file from another: the store's own mark or time, and the size.

    Raises ModelFileError for a file that is not there.
    """
    return _state(_info(place))


@contextmanager
def fetched(place: str, folder: Path | None = None) -> Iterator[Path]:
    """A copy of a model and of the weight files it names, in a new folder below `folder`, which goes at the end.

    A weight file outside the model's folder is not fetched; who loads the model is told.  Raises ModelFileError for
    a model that cannot be read or changes meanwhile, for a weight file that is not there, and for a full disk.
    """
    with scratch(folder) as home:
        path = home / "model" / (name_of(place) or "model.onnx")
        _fetch(place, path)
        try:
            inside = [name for name in weight_files(load_alone(path)) if _is_inside(name)]
        except ModelFileError as error:
            error.where = label(place)
            raise
        _each(place, inside, lambda name: _fetch(beside(place, name), path.parent / name))
        yield path


def put(local: Path, place: str, present: Collection[str] = ()) -> dict[str, str]:
    """Bring a model and its weight files to a store: the weights first, and the model when they are there.

    `present` are weight files that lie beside `place` already.  The others get names made of their content, so that
    nothing that another model points to is ever replaced, and what an earlier try has brought is not sent again:
    {local name: name in the store} is given.  Raises ModelFileError when the store does not take them.
    """
    with by_content(local, present) as (path, names):
        _each(place, list(names), lambda name: _put_weights(local.parent / name, beside(place, names[name])))
        _put_file(path, place)
        return names


def remove(place: str) -> None:
    """Remove a file, if it is there.  Raises ModelFileError."""
    system, name = _opened(place)
    with _told(place, "removed"):
        system.invalidate_cache()
        if system.exists(name):
            system.rm_file(name)


def _is_inside(name: str) -> bool:
    """Whether the name of a weight file leads to the model's folder or below it."""
    path = Path(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _opened(place: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        hint = "pip install 'onnxfix[stores]'"
        raise OnnxfixError("stores need fsspec, which is not installed", where=label(place), hint=hint) from None
    try:
        with _told(place, "opened"):
            system, path = url_to_fs(place)
            return system, path
    except ImportError as error:
        raise OnnxfixError(
            f"the driver of {scheme_of(place)}:// is missing", where=label(place), hint=_cure(place, error)
        ) from None


def _cure(place: str, error: ImportError) -> str:
    from fsspec.registry import known_implementations

    package = known_implementations.get(scheme_of(place), {}).get("class", "fsspec").partition(".")[0]
    return str(error) if package == "fsspec" else f"pip install {package}"


@contextmanager
def _told(place: str, done: str) -> Iterator[None]:
    """Every failure of a store's library as one line that shows no credentials."""
    try:
        yield
    except (OnnxfixError, ImportError):
        raise
    except FileNotFoundError as error:
        raise ModelFileError(_absence(error, done), where=label(place)) from None
    except PermissionError as error:
        what = f"the store denies it: {harmless(str(error))}"
        raise ModelFileError(what, where=label(place), hint="look at the credentials and their rights") from None
    except NotImplementedError:
        raise ModelFileError(f"cannot be {done}: its store does not offer that", where=label(place)) from None
    except Exception as error:  # each driver has exceptions of its own
        reason = harmless(str(error)) or type(error).__name__
        raise ModelFileError(f"cannot be {done}: {reason}", where=label(place)) from None


def _absence(error: FileNotFoundError, done: str) -> str:
    """What is wrong when a file is said to be missing, as the driver of HTTP does of all that goes wrong."""
    cause = error.__cause__
    if cause is None or not type(cause).__module__.startswith("aiohttp") or getattr(cause, "status", 0) in _GONE:
        return "no such file"
    return f"cannot be {done}: {harmless(str(cause))}"


def _info(place: str) -> Mapping[str, Any]:
    system, path = _opened(place)
    with _told(place, "read"):
        system.invalidate_cache()
        info: Mapping[str, Any] = system.info(path)
    if info["type"] == "directory":
        raise ModelFileError("is a folder, not an ONNX file", where=label(place), hint="name the .onnx file in it")
    return info


def _size(info: Mapping[str, Any]) -> int:
    return int(info.get("size") or 0)


def _state(info: Mapping[str, Any]) -> str:
    mark = next((info[name] for name in _VERSIONS if info.get(name)), "")
    mark = mark.timestamp() if isinstance(mark, datetime) else mark  # listings and single files differ in this
    return f"{mark} {info.get('size')}".strip()


def _url(place: str, system: Any, path: str, name: str) -> str:
    """The URL of a name in a listing of `place`: its scheme, host and chain stay."""
    head, mark, tail = place.partition("::") if "://" in place.partition("::")[0] else (place, "", "")
    start = head.rstrip("/").removesuffix(path.rstrip("/"))
    own = start + name if head.rstrip("/") != start else str(system.unstrip_protocol(name))
    return own + mark + tail


def _fetch(place: str, path: Path) -> None:
    info, (system, name) = _info(place), _opened(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if _size(info) > free:
        what = f"has {_size(info)} bytes, and the folder for temporary files {free} bytes left"
        raise ModelFileError(what, where=label(place), hint="set TMPDIR to a folder with more room")
    with _told(place, "read"):
        system.get_file(name, str(path))
    if _state(_info(place)) != _state(info):
        raise ModelFileError("changed while it was read", where=label(place), hint="try again")
    if info.get("size") is not None and path.stat().st_size != info["size"]:
        raise ModelFileError("arrived cut short", where=label(place), hint="try again")


def _put_weights(path: Path, place: str) -> None:
    """Bring a weight file whose name is made of its content, unless it is there."""
    system, name = _opened(place)
    with _told(place, "written"):
        system.invalidate_cache()
        there = system.exists(name) and system.size(name) == path.stat().st_size
    if not there:
        _put_file(path, place)


def _put_file(path: Path, place: str) -> None:
    """Bring one file; it gets its name when it is complete."""
    if is_read_only(place):
        what = f"cannot be written: {scheme_of(place)}:// is only read"
        raise ModelFileError(what, where=label(place), hint="choose another -o")
    system, name = _opened(place)
    with _told(place, "written"):
        if scheme_of(place) in _WHOLE:
            system.put_file(str(path), name)
        else:
            _put_and_rename(system, path, name)
        if system.size(name) != path.stat().st_size:
            raise ModelFileError("was not written whole", where=label(place), hint="try again")


def _put_and_rename(system: Any, path: Path, name: str) -> None:
    folder, mark, last = name.rpartition("/")
    draft = f"{folder}{mark}.{last}.{token_hex(4)}.onnxfix-tmp"
    system.makedirs(folder or mark, exist_ok=True)
    try:
        system.put_file(str(path), draft)
        system.mv(draft, name)
    finally:
        if system.exists(draft):
            system.rm_file(draft)


def _each(place: str, names: Sequence[str], act: Callable[[str], None]) -> None:
    """Do something for several files, at once where the store's driver allows threads."""
    with ThreadPoolExecutor(_AT_ONCE if _opened(place)[0].async_impl else 1) as threads:
        for _ in threads.map(act, names):
            pass
