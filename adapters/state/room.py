"""Disks that are full, or fail: what is told of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import Unavailable

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""EFBIG: the process may not write files of that size."""


@contextmanager
def failures(folder: Path, variable: str = "") -> Iterator[None]:
    """
    Name the folder that cannot be used.

    Args:
        folder: It.

        variable: What named it, if only another folder can help.

    Raises:
        Unavailable: Instead of what the system says.
    """
    try:
        yield
    except OSError as error:
        place = f"{variable}: {folder}" if variable else f"{folder}"
        free = f", {_free(folder)} bytes free" if error.errno in _NO_ROOM else ""
        raise Unavailable(f"{place}: {error.strerror or error}{free}") from error


def require_room(folder: Path, need: int, what: str) -> None:
    """
    Look whether *folder* has room for *need* bytes of *what*.

    Raises:
        Unavailable: It has less.
    """
    if need > (free := _free(folder)):
        raise Unavailable(f"{folder}: {what} needs {need} bytes, {free} bytes free")


def _free(folder: Path) -> int:
    """Return the bytes that this user may still write to *folder*, or above it."""
    for place in (folder, *folder.parents):
        try:
            space = os.statvfs(place)
        except OSError:
            continue
        return space.f_bavail * space.f_frsize
    return 0
