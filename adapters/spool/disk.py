"""Examples in files, mapped into memory where they are read."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import weakref
from io import FileIO
from pathlib import Path
from threading import Lock

import numpy as np
from attrs import define, field

from adapters.spool.columns import (
    Column,
    ColumnSpool,
    Positions,
    Rows,
    RowType,
    raw,
)
from adapters.spool.sizes import size_text
from domain.errors import SettingsInvalid, SpoolFull, Unavailable

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""EFBIG: the process may not write files of that size."""

_BAD_FOLDER = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
}
"""What only another folder or other permissions can mend."""


@define(eq=False)
class DiskSpool(ColumnSpool):
    """
    One file per column.

    The files have no names, from their first moment on: nobody else can open them, and
    the system takes them back however the process ends, even by ``kill -9``.

    Memory stays flat: what is written goes to the system's file cache, and what is read
    is mapped by itself and gone with its last view.  Until then it takes two file
    descriptors.

    Attributes:
        folder: Where the files are.
    """

    folder: Path

    def _make(self, types: list[RowType], expected: int) -> tuple[Column, ...]:
        columns = tuple(
            DiskColumn(self.folder, kind, _nameless_file(self.folder)) for kind in types
        )
        require_room(self.folder, types, expected)
        return columns


@define(eq=False)
class DiskColumn(Column):
    """
    A file; one thread writes to it while others map what is there.

    It is closed with the column, or with its last reader.
    """

    _folder: Path
    _type: RowType
    _file: FileIO
    _close_file: weakref.finalize[..., DiskColumn] = field(init=False)
    _mapping: Lock = field(init=False, factory=Lock)

    def __attrs_post_init__(self) -> None:
        self._close_file = weakref.finalize(self, self._file.close)

    def write(self, rows: Rows, start: int) -> None:
        """See Column."""
        write_all(self._folder, self._file, raw(rows), start * self._type.size)

    def read(self, start: int, stop: int) -> Rows:
        """See Column."""
        shape = (stop - start, *self._type.shape)
        offset, size = start * self._type.size, (stop - start) * self._type.size
        if not size:  # cannot be mapped
            nothing = np.empty(shape, self._type.dtype)
            nothing.flags.writeable = False
            return nothing
        before = offset % mmap.ALLOCATIONGRANULARITY
        with self._mapping:  # else the descriptor might be another file's by now
            mapped = mmap.mmap(
                self._file.fileno(),
                before + size,
                access=mmap.ACCESS_READ,
                offset=offset - before,
            )
        return np.ndarray(shape, self._type.dtype, mapped, before)

    def take(self, positions: Positions) -> Rows:
        """See Column."""
        taken = np.empty((len(positions), *self._type.shape), self._type.dtype)
        if len(positions):
            # In the order of the file, which a disk reads fastest.
            order = np.argsort(positions, kind="stable")
            first, last = int(positions[order[0]]), int(positions[order[-1]])
            taken[order] = self.read(first, last + 1)[positions[order] - first]
        return taken

    def close(self) -> None:
        """See Column."""
        with self._mapping:
            self._close_file()


def _nameless_file(folder: Path) -> FileIO:
    """Open a file for reading and writing, without a buffer that copies once more."""
    try:
        return tempfile.TemporaryFile(buffering=0, dir=folder)
    except OSError as reason:
        if reason.errno in _BAD_FOLDER:
            raise SettingsInvalid(
                f"STREAMFIT_SPOOL_DIR: {folder}: {reason.strerror}"
            ) from reason
        raise refused(reason, folder, "another file") from reason


def write_all(folder: Path, file: FileIO, data: memoryview, position: int) -> None:
    """
    Write *data* to a file in *folder*, from *position* on.

    Raises:
        SpoolFull: There is no room for it.

        Unavailable: The disk fails.
    """
    try:
        while data:  # the system takes 2 GiB at most, and less on a full disk
            written = os.pwrite(file.fileno(), data, position)
            position += written
            data = data[written:]
    except OSError as reason:
        raise refused(reason, folder, f"{size_text(len(data))} more") from reason


def require_room(folder: Path, types: list[RowType], expected: int) -> None:
    """
    Look whether *folder* has room for *expected* rows in columns of *types*.

    Raises:
        SpoolFull: It has less.
    """
    need, free = expected * sum(kind.size for kind in types), free_bytes(folder)
    if need > free:
        raise SpoolFull(
            f"{folder}: {expected} examples need {size_text(need)}, "
            f"{size_text(free)} free"
        )


def refused(reason: OSError, folder: Path, what: str) -> Unavailable:
    """Return the error to raise when *folder* does not take *what*."""
    if reason.errno in _NO_ROOM:
        return SpoolFull(
            f"{folder}: no room for {what}, {size_text(free_bytes(folder))} free: "
            f"{reason.strerror}"
        )
    return Unavailable(f"{folder}: {reason.strerror}")


def free_bytes(folder: Path) -> int:
    """Return the bytes that this user may still write to *folder*."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize
