"""Examples in files that outlive the process."""

from __future__ import annotations

import logging
import shutil
import time
import zlib
from contextlib import suppress
from io import FileIO
from pathlib import Path

from attrs import define, field

from adapters.spool.columns import Column, ColumnSpool, RowType, columns_of, raw
from adapters.spool.disk import DiskColumn, refused, require_room
from adapters.spool.marks import Mark, MarkFile
from domain.batches import ExampleBatch
from domain.progress import StreamProgress

log = logging.getLogger(__name__)

COLUMNS = "features", "labels"
MARKS = "marks"

_SECONDS = 1.0
_BYTES = 64 << 20
"""A mark is due after so many seconds, or after so many bytes of examples."""

_MARK_BYTES = 64 << 10
"""A longer mark, of a stream of thousands of ranges, is due less often."""


@define(eq=False)
class KeptSpool(ColumnSpool):
    """
    One file per column, and a list of marks that vouch for their beginnings.

    Nothing is forced to the disk: what was written stays in the system's file cache,
    however the process ends.  When the machine fails there may be marks whose rows are
    not there; checksums tell.

    Attributes:
        folder: Where the files are; emptied unless there is a mark to go on from.
    """

    folder: Path
    _mark: Mark | None = None
    _files: tuple[FileIO, ...] = ()  # cut behind that mark: the list, then the columns
    _unusable: OSError | None = field(init=False, default=None)
    _sums: tuple[int, int] = field(init=False, default=(0, 0))
    _marks: MarkFile | None = field(init=False, default=None)
    _latest: Mark | None = field(init=False, default=None)  # noted, but not in the list
    _row_size: int = field(init=False, default=0)
    _marked_at: float = field(init=False, default=float("-inf"))
    _marked_rows: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        if self._mark is None:
            self._begin()
        else:
            self._go_on(self._mark)

    def append(self, examples: ExampleBatch) -> None:
        """See Spool."""
        super().append(examples)
        if len(examples):
            features, labels = columns_of(examples)
            before = self._sums
            self._sums = (
                zlib.crc32(raw(features), before[0]),
                zlib.crc32(raw(labels), before[1]),
            )

    def note(self, progress: StreamProgress) -> None:
        """
        Note *progress*; see Spool.

        Raises:
            SpoolFull: There is no room for the mark.

            Unavailable: The folder takes no files.
        """
        with self._changing:
            self.require_open()
            self._latest = Mark(self._rows, self._sums, self._spec, progress)
            if self._is_due() or not progress.rest:
                self._add_mark(self._latest)

    def close(self) -> None:
        """
        Close the files; see Spool.  What was noted last becomes a mark.

        Raises:
            SpoolFull: There is no room for the mark.

            Unavailable: The folder takes no files.
        """
        try:
            with self._changing:
                if self._latest is not None:
                    self._add_mark(self._latest)
        finally:
            with self._changing:
                self._close_marks()
            super().close()

    def discard(self) -> None:
        """Remove the files; whoever reads them can go on."""
        with self._changing:
            self._close_marks()
            for name in (MARKS, *COLUMNS):
                # Where nothing can be removed, what was marked is still right.
                with suppress(OSError):
                    (self.folder / name).unlink()

    def _begin(self) -> None:
        """Empty the folder; if that fails, it is told when examples come."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except OSError as reason:
            self._unusable = reason

    def _go_on(self, mark: Mark) -> None:
        marks, *files = self._files
        self._marks = MarkFile(self.folder, marks)
        self._marked_at = time.monotonic()
        self._marked_rows = self._rows = mark.rows
        self._sums, self._spec = mark.sums, mark.spec
        if mark.spec is not None:
            types = RowType.of_examples(mark.spec)
            self._row_size = sum(kind.size for kind in types)
            self._columns = tuple(
                DiskColumn(self.folder, kind, file)
                for kind, file in zip(types, files, strict=True)
            )

    def _make(self, types: list[RowType], expected: int) -> tuple[Column, ...]:
        self._require_usable()
        columns = tuple(
            DiskColumn(self.folder, kind, _new_file(self.folder / name))
            for name, kind in zip(COLUMNS, types, strict=True)
        )
        require_room(self.folder, types, expected)
        self._row_size = sum(kind.size for kind in types)
        log.info(
            "examples are kept",
            extra={
                "where": str(self.folder),
                "expected_bytes": expected * self._row_size,
            },
        )
        return columns

    def _is_due(self) -> bool:
        size = self._marks.latest if self._marks else 0
        patience = 1 + size // _MARK_BYTES
        seconds = time.monotonic() - self._marked_at
        written = (self._rows - self._marked_rows) * self._row_size
        return seconds >= patience * _SECONDS or written >= patience * _BYTES

    def _add_mark(self, mark: Mark) -> None:
        self._marked_at, self._marked_rows = time.monotonic(), mark.rows
        if self._marks is None:
            self._require_usable()
            self._marks = MarkFile(self.folder, _new_file(self.folder / MARKS))
        self._marks.add(mark)
        self._latest = None

    def _close_marks(self) -> None:
        self._latest = None
        if self._marks is not None:
            self._marks.close()

    def _require_usable(self) -> None:
        if self._unusable is not None:
            raise refused(self._unusable, self.folder, "a folder") from self._unusable


def _new_file(path: Path) -> FileIO:
    """Open a file for reading and writing, without a buffer that copies once more."""
    try:
        return path.open("wb+", buffering=0)
    except OSError as reason:
        raise refused(reason, path.parent, "another file") from reason
