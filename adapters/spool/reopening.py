"""Files that another process left, as far as they are what it wrote."""

from __future__ import annotations

import logging
import zlib
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

from attrs import frozen

from adapters.spool.columns import RowType
from adapters.spool.kept import COLUMNS, MARKS, KeptSpool
from adapters.spool.marks import Damaged, Mark, read_marks

log = logging.getLogger(__name__)

_CHUNK = 1 << 20


@frozen
class _Place:
    """A mark, and the position behind it in the list."""

    mark: Mark
    end: int


def reopen(folder: Path) -> tuple[KeptSpool, Mark] | None:
    """
    Open the files in *folder* as they were at the last mark that they bear out.

    Returns:
        The spool and the mark; None if there is no such mark.
    """
    if not (folder / MARKS).exists():
        return None  # it was never begun, or not a single mark was written
    try:
        places = _places(folder / MARKS)
        return _open(folder, places[: _borne_out(folder, places)])
    except OSError as error:
        _not_used(Damaged(f"{error.filename or folder}: {error.strerror}"))
        return None


def _places(path: Path) -> list[_Place]:
    """Return the marks in a list, as long as each is further than the one before."""
    found: list[_Place] = []
    for mark, end in read_marks(path):
        if isinstance(mark, Damaged):
            _not_used(mark)
            continue
        if not _follows(mark, found[-1].mark if found else None):
            _not_used(Damaged(f"{path}: a mark that does not follow the one before"))
            break
        found.append(_Place(mark, end))
    return found


def _follows(mark: Mark, before: Mark | None) -> bool:
    if (mark.spec is None) != (mark.rows == 0):
        return False
    return before is None or (
        mark.rows >= before.rows and before.spec in {None, mark.spec}
    )


def _borne_out(folder: Path, places: list[_Place]) -> int:
    """Count the marks that the columns bear out: those of the shorter one."""
    specs = [place.mark.spec for place in places if place.mark.spec is not None]
    if not specs:
        return len(places)
    try:
        types = RowType.of_examples(specs[0])
    except ValueError as error:
        _not_used(Damaged(f"{folder / MARKS}: {error}"))
        return 0
    counts = []
    for column, (name, kind) in enumerate(zip(COLUMNS, types, strict=True)):
        wanted = [(p.mark.rows * kind.size, p.mark.sums[column]) for p in places]
        counts.append(_right(folder / name, wanted))
    return min(counts)


def _right(path: Path, wanted: list[tuple[int, int]]) -> int:
    """Count how many *wanted* lengths of a file have the checksum that they should."""
    position = checksum = 0
    with path.open("rb", buffering=0) as file:
        for count, (length, expected) in enumerate(wanted):
            while position < length:
                chunk = file.read(min(_CHUNK, length - position))
                if not chunk:
                    _not_used(Damaged(f"{path}: {position} bytes, {length} were noted"))
                    return count
                checksum = zlib.crc32(chunk, checksum)
                position += len(chunk)
            if checksum != expected:
                _not_used(Damaged(f"{path}: not the bytes that were noted"))
                return count
    return len(wanted)


def _open(folder: Path, places: list[_Place]) -> tuple[KeptSpool, Mark] | None:
    """Open the files, and forget what is behind the last of *places*."""
    if not places:
        return None
    mark, end = places[-1].mark, places[-1].end
    cuts = [(folder / MARKS, end)]  # marks go first: they vouch for what is still there
    if mark.spec is not None:
        types = RowType.of_examples(mark.spec)
        cuts += [
            (folder / name, mark.rows * kind.size)
            for name, kind in zip(COLUMNS, types, strict=True)
        ]
    with ExitStack() as opened:
        files = tuple(opened.enter_context(_cut(path, size)) for path, size in cuts)
        opened.pop_all()
    ahead = sum(map(len, mark.progress.rest))
    return KeptSpool(mark.rows + ahead, folder, mark, files), mark


def _cut(path: Path, size: int) -> FileIO:
    file = path.open("rb+", buffering=0)
    try:
        file.truncate(size)
    except OSError:
        file.close()
        raise
    return file


def _not_used(damage: Damaged) -> None:
    log.warning("state not used", extra={"reason": str(damage)})
