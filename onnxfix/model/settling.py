"""Names that last for new weight files: none that a model may still refer to, and taken back when none gets to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from onnxfix.errors import OnnxfixError
from onnxfix.files import temporary, unwritable
from onnxfix.leftovers import note
from onnxfix.model.file import load_alone, weight_files


def names_in_use(goal: Path) -> frozenset[str]:
    """The weight files of the model that is at `goal` now, there or not; none where no model is."""
    try:
        return frozenset(weight_files(load_alone(goal)))
    except OnnxfixError:
        return frozenset()


def lasting(goal: Path, files: Sequence[Path], used: frozenset[str]) -> dict[Path, Path]:
    """For each new weight file of `goal` a name that no file has and the model at `goal` does not have in use."""
    names = (f"{goal.name}.{number}.data" if number else f"{goal.name}.data" for number in count())
    free = (goal.with_name(name) for name in names if name not in used and not os.path.lexists(goal.with_name(name)))
    return dict(zip(files, free, strict=False))


@contextmanager
def settled(draft: Path, goal: Path, names: Mapping[Path, Path]) -> Iterator[None]:
    """Weight files under other names, which they keep when `draft`, the model that refers to them, is renamed inside.

    A process that is killed inside leaves a note of them for the next one (see `leftovers`).  Raises FileExistsError
    when a name is taken by now, and ModelFileError.
    """
    written = temporary(goal, note=True)
    done: list[tuple[Path, Path]] = []
    try:
        try:
            note(written, draft, {new.name: old for old, new in names.items()})
            for old, new in names.items():
                done.append((old, new))
                _rename(old, new)
        except FileExistsError:
            done.pop()
            raise
        except OSError as error:
            raise unwritable(goal, error) from None
        yield
    finally:
        if draft.exists():
            for old, new in done:
                if not old.exists():
                    new.replace(old)
                elif new.exists() and new.samefile(old):
                    new.unlink()
        written.unlink(missing_ok=True)


def _rename(old: Path, new: Path) -> None:
    """Rename a file, never over another one.  Raises OSError."""
    try:
        os.link(old, new)
    except FileExistsError:
        raise
    except OSError:  # no hard links there
        new.touch(exist_ok=False)
        old.replace(new)
    else:
        old.unlink()
