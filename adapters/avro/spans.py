"""Where the records of a column are."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from attrs import frozen

from domain.batches import BinaryColumn

Positions: TypeAlias = npt.NDArray[np.int64]

FRAME = 5
"""Bytes before a framed record: 0, and the writer's schema id, big-endian."""


@frozen(eq=False)
class Spans:
    """
    A column with the places of its records as arrays.

    Attributes:
        column: The column.

        starts: Position in its data before each record.

        ends: Position in its data after each record.
    """

    column: BinaryColumn
    starts: Positions
    ends: Positions

    @classmethod
    def of(cls, column: BinaryColumn) -> Spans:
        """Find the records of *column*."""
        if column.width is not None:  # no list to go through
            ends = np.arange(1, len(column) + 1, dtype=np.int64) * column.width
        else:
            ends = np.asarray(column.ends, np.int64)
        starts = np.empty_like(ends)
        starts[:1] = 0
        starts[1:] = ends[:-1]
        return cls(column, starts, ends)

    @property
    def is_whole(self) -> bool:
        """Whether all of the column's records are in it, and of one length."""
        return self.column.width is not None and len(self) == len(self.column)

    def only(self, rows: Positions) -> Spans:
        """Return some of the records."""
        return Spans(self.column, self.starts[rows], self.ends[rows])

    def __len__(self) -> int:
        """Count the records."""
        return len(self.ends)

    def __getitem__(self, index: int) -> bytes:
        """Return the bytes of the record at *index*."""
        return bytes(self.column.data[self.starts[index] : self.ends[index]])

    @property
    def sizes(self) -> Positions:
        """Bytes of each record."""
        return self.ends - self.starts

    def schema_ids(self) -> Positions:
        """Return the schema id before every record, -1 where there is none."""
        data = np.frombuffer(self.column.data, np.uint8)
        ids = np.full(len(self), -1, np.int64)
        framed = np.flatnonzero(self.sizes >= FRAME)
        places = self.starts[framed, np.newaxis] + np.arange(FRAME)
        frames = data[places].astype(np.int64)
        numbers = frames[:, 1:] @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
        ids[framed] = np.where(frames[:, 0] == 0, numbers, -1)
        return ids
