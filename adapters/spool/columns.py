"""What the spools share: features and labels, each in a column of its own."""

from __future__ import annotations

import math
from abc import abstractmethod
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt
from attrs import define, field, frozen

from domain.batches import Array, ElementSpec, ExampleBatch, TensorSpec
from domain.progress import StreamProgress
from ports import Spool

Rows = npt.NDArray[np.generic]
Positions = npt.NDArray[np.int64]


@frozen
class RowType:
    """
    What every row of a column looks like.

    Attributes:
        dtype: Type of its elements.

        shape: Length of its axes.
    """

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, rows: Rows) -> RowType:
        """Return the type of *rows*."""
        return cls(rows.dtype, rows.shape[1:])

    @classmethod
    def of_examples(cls, spec: ElementSpec) -> list[RowType]:
        """
        Return the types of features and labels that *spec* describes.

        Raises:
            ValueError: There are none such.
        """
        return [cls._described(tensor) for tensor in (spec.features, spec.label)]

    @classmethod
    def _described(cls, tensor: TensorSpec) -> RowType:
        try:
            dtype: np.dtype[np.generic] = np.dtype(tensor.dtype)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if dtype.hasobject or min(tensor.shape, default=0) < 0:
            raise ValueError(f"no rows in a file: {tensor}")
        return cls(dtype, tensor.shape)

    @property
    def size(self) -> int:
        """Bytes of one row."""
        return self.dtype.itemsize * math.prod(self.shape)


class Column(Protocol):
    """Rows of one type, by position."""

    def write(self, rows: Rows, start: int) -> None:
        """
        Keep a copy of *rows* from position *start* on.

        Raises:
            SpoolFull: There is no room for them.
        """
        ...

    def read(self, start: int, stop: int) -> Rows:
        """Return a read-only view of rows that were written, also after `close`."""
        ...

    def take(self, positions: Positions) -> Rows:
        """Return copies of rows that were written, in the order of *positions*."""
        ...

    def close(self) -> None:
        """Give back what the rows took."""
        ...


def columns_of(examples: ExampleBatch) -> tuple[Rows, Rows]:
    """Return features and labels as arrays."""
    return np.asarray(examples.features), np.asarray(examples.labels)


def raw(rows: Rows) -> memoryview:
    """Return the bytes of *rows*, as they lie in a file."""
    return np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data


def row_size(examples: ExampleBatch) -> int:
    """Return the bytes of one of *examples*."""
    return sum(RowType.of(rows).size for rows in columns_of(examples))


@define(eq=False)
class ColumnSpool(Spool):
    """
    A spool of two columns, which are made when the first examples come.

    Attributes:
        expected: How many examples are likely to come.
    """

    expected: int
    _columns: tuple[Column, ...] = field(init=False, default=())
    _spec: ElementSpec | None = field(init=False, default=None)
    _rows: int = field(init=False, default=0)
    _closed: bool = field(init=False, default=False)
    _changing: Lock = field(init=False, factory=Lock)

    @abstractmethod
    def _make(self, types: list[RowType], expected: int) -> tuple[Column, ...]:
        """Make an empty column for each of *types*, for so many rows or more."""

    def append(self, examples: ExampleBatch) -> None:
        """See Spool."""
        if not len(examples):
            return  # if every record was bad, even the shape may be a guess
        columns = columns_of(examples)
        with self._changing:
            self.require_open()
            if not self._columns:
                types = [RowType.of(rows) for rows in columns]
                self._columns = self._make(types, max(self.expected, len(examples)))
                self._spec = examples.element_spec
            elif examples.element_spec != self._spec:
                raise ValueError(f"{examples.element_spec} in a spool of {self._spec}")
            for column, rows in zip(self._columns, columns, strict=True):
                column.write(rows, self._rows)
            # Readers go by the count, so it comes last; what a failed append left
            # behind it is overwritten by the next one.
            self._rows += len(examples)

    def __len__(self) -> int:
        """See Spool."""
        return self._rows

    @property
    def element_spec(self) -> ElementSpec:
        """See Spool."""
        if self._spec is None:
            raise LookupError("an empty spool has no element spec")
        return self._spec

    def read(self, start: int, stop: int) -> ExampleBatch:
        """See Spool."""
        stop = max(start, min(stop, self._rows))
        features, labels = (c.read(start, stop) for c in self._readable())
        return ExampleBatch(features, labels)

    def take(self, positions: Array) -> ExampleBatch:
        """See Spool."""
        wanted = np.asarray(positions, np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < self._rows:
            raise IndexError(f"{self._rows} examples, none at {wanted.max()}")
        features, labels = (c.take(wanted) for c in self._readable())
        return ExampleBatch(features, labels)

    def _readable(self) -> tuple[Column, ...]:
        columns = self._columns
        if not columns:
            self.require_open()
            raise LookupError("an empty spool has nothing to read")
        return columns

    def note(self, progress: StreamProgress) -> None:
        """See Spool; nothing lasts."""

    def close(self) -> None:
        """See Spool; waits for an append that is under way."""
        with self._changing:
            self._closed = True
            columns, self._columns = self._columns, ()
            for column in columns:
                column.close()

    def require_open(self) -> None:
        """Raise ValueError if the spool is closed."""
        if self._closed:
            raise ValueError("the spool is closed")
