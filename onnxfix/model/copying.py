"""Copies of large files by the operating system: shared blocks where the file system has them, else in the kernel."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from onnxfix.files import flush
from onnxfix.model.stored import CHUNK, Extent, StoredFile

_FICLONE = 0x40049409
"""The request of ioctl_ficlone(2): Btrfs, XFS, bcachefs, OCFS2, NFS 4.2 and others."""

_PAGE = 4096


def clone(source: StoredFile, path: Path) -> bool:
    """Let the empty file `path` share all blocks of another file; False where the file system cannot."""
    if sys.platform != "linux":
        return False
    import fcntl

    with source.opened() as descriptor, path.open("wb") as file:
        try:
            fcntl.ioctl(file.fileno(), _FICLONE, descriptor)
        except OSError:
            return False
        flush(file)
    return True


def append(extent: Extent, descriptor: int) -> int:
    """Copy an extent behind the end of an open file, larger ones from a page on, and tell where it is.

    Raises OSError when the file cannot be written, ModelFileError when the source changes.
    """
    start = os.lseek(descriptor, 0, os.SEEK_END)
    if extent.length > _PAGE:
        start = os.lseek(descriptor, -(-start // _PAGE) * _PAGE, os.SEEK_SET)
    done = _by_kernel(extent, descriptor)
    while done < extent.length:
        data = memoryview(extent.part(done, CHUNK))
        done += len(data)
        while data:
            data = data[os.write(descriptor, data) :]
    return start


def _by_kernel(extent: Extent, descriptor: int) -> int:
    """So many bytes as the kernel copies by itself; between some file systems that is none."""
    done = 0
    if isinstance(extent.source, StoredFile) and hasattr(os, "copy_file_range"):
        with extent.source.opened() as source:
            while done < extent.length:
                try:
                    count = os.copy_file_range(source, descriptor, extent.length - done, extent.offset + done)
                except OSError:  # the copy by hand tells what is wrong, if anything is
                    break
                if not count:
                    break
                done += count
        extent.source.check()
    return done
