"""The way to a Ray cluster, which is there already."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onnxfix.batch.urls import label
from onnxfix.errors import OnnxfixError

RETRIES = 2
"""So often Ray starts a task again whose worker or node died."""

SEE = "`ray status` shows the cluster of a machine"

_KNOCK_SECONDS = 10.0


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module of Ray, connected to the cluster at `address`.  Raises OnnxfixError when there is none.

    At the end the cluster kills what still runs.  (Ray 2.60 aborts when a task that is cancelled by force just ends.)
    """
    try:
        import ray
    except ImportError:
        raise OnnxfixError("--ray needs Ray, which is not installed", hint="pip install 'onnxfix[ray]'") from None
    _knock(address)
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))  # else a task that is out of memory is retried forever
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise OnnxfixError(f"no Ray cluster answers: {lines_of(error)[0]}", where=label(address), hint=SEE) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """See that somebody listens at `HOST:PORT`: Ray itself would try for minutes.  Raises OnnxfixError."""
    host, _, port = address.rpartition(":")
    if not host or "://" in address or not port.isdecimal():
        return  # Ray looks at other forms itself
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()
    except OSError as error:
        raise OnnxfixError(f"no Ray cluster answers: {error.strerror}", where=address, hint=SEE) from None


def lines_of(error: Exception) -> list[str]:
    """What Ray says: the first line tells how a worker died, the last one what a function raised."""
    return str(error).strip().splitlines() or [type(error).__name__]
