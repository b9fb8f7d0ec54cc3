"""
How far the files of a spool are right, and what that means for the stream.

A list of marks, one a line, each behind a checksum of its own.  It only grows, and a
mark is written after what it vouches for; a line that breaks off was never written.
"""

from __future__ import annotations

import json
import os
import weakref
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import cattrs
from attrs import define, field, frozen

from adapters.spool.disk import write_all
from domain.batches import ElementSpec
from domain.progress import StreamProgress

VERSION = 1
"""Of the files in the folder; marks of another one are not believed."""

_LONGEST = 64 << 20
"""Bytes of a line; what has none within them is no list of marks."""

_converter = cattrs.Converter(forbid_extra_keys=True)


class Damaged(Exception):
    """Something is not what was written; the message names it."""


@frozen
class Mark:
    """
    Up to where the columns are right.

    Attributes:
        rows: How many rows each of them has.

        sums: CRC-32 of these rows in each column, from the first one on.

        spec: What every example looks like; None as long as there is none.

        progress: How far the stream was read when it had given these rows.
    """

    rows: int
    sums: tuple[int, int]
    spec: ElementSpec | None
    progress: StreamProgress


@define(eq=False)
class MarkFile:
    """
    The list, for who adds to it.

    Attributes:
        folder: Where it is.

        latest: Bytes of the mark that was added last.
    """

    folder: Path
    _file: FileIO
    latest: int = field(default=0, init=False)
    _end: int = field(init=False)  # whatever is behind it is no mark
    _close_file: weakref.finalize[..., MarkFile] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._end = self._file.seek(0, os.SEEK_END)
        self._close_file = weakref.finalize(self, self._file.close)

    def add(self, mark: Mark) -> None:
        """
        Add *mark*.

        Raises:
            SpoolFull: There is no room for it.

            Unavailable: The disk fails.
        """
        line = _line(mark)
        write_all(self.folder, self._file, memoryview(line), self._end)
        self._end += len(line)
        self.latest = len(line)

    def close(self) -> None:
        """Close the file."""
        self._close_file()


def read_marks(path: Path) -> Iterator[tuple[Mark | Damaged, int]]:
    """
    Read what is in a list of marks.

    Yields:
        A mark, or what is wrong with the line that should hold it, and the position
        behind that.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        while line := file.readline(_LONGEST):
            if len(line) == _LONGEST:
                yield Damaged(f"{path}: not a list of marks"), file.tell()
                return
            if not line.endswith(b"\n"):
                return
            try:
                yield _mark(line), file.tell()
            except Damaged as reason:
                yield Damaged(f"{path}: {reason}"), file.tell()


def _line(mark: Mark) -> bytes:
    told = {"version": VERSION, **_converter.unstructure(mark)}
    text = json.dumps(told).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _mark(line: bytes) -> Mark:
    checksum, _, text = line.removesuffix(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        raise Damaged("a line is not what was written")
    try:
        told = dict(json.loads(text))
        version = told.pop("version")
    except (ValueError, TypeError, KeyError) as error:
        raise Damaged(f"a line is no mark, {error!r:.100}") from error
    if version != VERSION:
        raise Damaged(f"of version {version!r:.20}, this is version {VERSION}")
    try:
        return _converter.structure(told, Mark)
    except (cattrs.BaseValidationError, ValueError, TypeError) as error:
        raise Damaged(f"a line is no mark, {error!r:.100}") from error
