"""Decoded examples in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from attrs import define, field

from domain.batches import Array, ElementSpec, ExampleBatch
from ports import Spool

FIRST_ROWS = 16_384
"""Room that is made at first; it doubles whenever it is full."""


@define(eq=False)
class _Column:
    """An array that grows; what was read from it stays as it was."""

    _array: npt.NDArray[np.generic] | None = None

    def write(self, batch: Array, start: int, stop: int, capacity: int) -> None:
        rows = np.asarray(batch)
        if self._array is None:
            room = max(stop, min(capacity, FIRST_ROWS))
            self._array = np.empty((room, *rows.shape[1:]), rows.dtype)
        elif stop > len(self._array):
            room = max(stop, min(capacity, 2 * len(self._array)))
            grown = np.empty((room, *rows.shape[1:]), rows.dtype)
            grown[:start] = self._array[:start]
            self._array = grown
        self._array[start:stop] = rows

    def read(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        if self._array is None:
            raise LookupError("an empty spool has no element spec")
        view = self._array[start:stop]
        view.flags.writeable = False
        return view


@define(eq=False)
class MemorySpool(Spool):
    """
    One contiguous array per column.

    Attributes:
        capacity: Number of examples at most.
    """

    capacity: int
    _rows: int = 0
    _features: _Column = field(init=False, factory=_Column)
    _labels: _Column = field(init=False, factory=_Column)

    def append(self, examples: ExampleBatch) -> None:
        """See Spool."""
        stop = self._rows + len(examples)
        self._features.write(examples.features, self._rows, stop, self.capacity)
        self._labels.write(examples.labels, self._rows, stop, self.capacity)
        self._rows = stop

    def __len__(self) -> int:
        """See Spool."""
        return self._rows

    @property
    def element_spec(self) -> ElementSpec:
        """See Spool."""
        return self.read(0, 0).element_spec

    def read(self, start: int, stop: int) -> ExampleBatch:
        """See Spool."""
        stop = min(stop, self._rows)
        return ExampleBatch(
            self._features.read(start, stop), self._labels.read(start, stop)
        )
