"""Examples in memory."""

from __future__ import annotations

import numpy as np
from attrs import define

from adapters.spool.columns import Column, ColumnSpool, Positions, Rows, RowType
from adapters.spool.sizes import size_text
from domain.errors import SpoolFull


@define(eq=False)
class MemorySpool(ColumnSpool):
    """One contiguous array per column."""

    def _make(self, types: list[RowType], expected: int) -> tuple[Column, ...]:
        return tuple(_MemoryColumn(kind, _room(expected, kind)) for kind in types)


@define(eq=False)
class _MemoryColumn(Column):
    """An array that grows; what was read from it stays as it was."""

    _type: RowType
    _array: Rows

    def write(self, rows: Rows, start: int) -> None:
        stop = start + len(rows)
        if stop > len(self._array):
            # In an array of its own: readers have views of the old one.
            grown = _room(max(stop, 2 * len(self._array)), self._type)
            grown[:start] = self._array[:start]
            self._array = grown
        self._array[start:stop] = rows

    def read(self, start: int, stop: int) -> Rows:
        view = self._array[start:stop]
        view.flags.writeable = False
        return view

    def take(self, positions: Positions) -> Rows:
        return self._array[positions]

    def close(self) -> None:
        """Go with the last view."""


def _room(rows: int, kind: RowType) -> Rows:
    """Return room for *rows*; the system gives it page by page as it is written to."""
    try:
        return np.empty((rows, *kind.shape), kind.dtype)
    except MemoryError as reason:
        need = size_text(rows * kind.size)
        raise SpoolFull(f"memory: {rows} examples need {need}: {reason}") from reason
