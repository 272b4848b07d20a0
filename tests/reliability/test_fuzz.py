"""Ten minutes of damaged models: whatever is in a file, only an OnnxfixError may come out, and soon.

`python -m pytest -m fuzz`; ONNXFIX_FUZZ_SECONDS and ONNXFIX_FUZZ_SEED change how long and where it starts.  A failure
prints the number of the case, and `python tests/reliability/test_fuzz.py NUMBER` runs that one case alone.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

import pytest
from mutations import mutated, seeds

import onnxfix

SECONDS = float(os.environ.get("ONNXFIX_FUZZ_SECONDS", "600"))
FIRST = int(os.environ.get("ONNXFIX_FUZZ_SEED", "0"))
HANG_SECONDS = 20


class Hang(BaseException):
    """A case took longer than HANG_SECONDS; no handler for Exception may eat it."""


@pytest.mark.fuzz
def test_damaged_models(tmp_path: Path) -> None:
    models, failures, number, started = seeds(), [], FIRST, time.monotonic()
    while time.monotonic() - started < SECONDS and len(failures) < 20:
        said = failure(models, number, tmp_path)
        if said:
            failures.append(f"case {number}: {said}")
        number += 1
    print(f"{number - FIRST} cases in {time.monotonic() - started:.0f} s")
    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)


def failure(models: list[bytes], number: int, folder: Path) -> str:
    """What went wrong in one case, or "".  Every fourth case is repaired, the others are checked."""
    random = Random(number)
    path, output = folder / "model.onnx", folder / "out.onnx"
    path.write_bytes(mutated(random.choice(models), random))
    before = path.read_bytes()
    try:
        with _limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if number % 4:
                onnxfix.check(path)
            else:
                onnxfix.repair(path, output, verify="none")
    except onnxfix.OnnxfixError as error:
        if "\n" in str(error) or not str(error):
            return f"not one line: {error!r}"
    except (Exception, Hang):
        return traceback.format_exc()
    if path.read_bytes() != before:
        return "the input was changed"
    output.unlink(missing_ok=True)
    left = sorted(entry.name for entry in folder.iterdir())
    return "" if left == ["model.onnx"] else f"left behind: {left}"


@contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"signal {number} in {frame.f_code.co_qualname if frame else 'no frame'}")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(failure(seeds(), int(sys.argv[1]), Path(scratch)) or 0)
