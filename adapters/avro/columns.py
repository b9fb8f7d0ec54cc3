"""
Many records at once: a vector of positions goes through their fields in step.

Whatever is found where no record should have it is noted as odd, and read again one by
one.  A position that runs past its record stays past it, since every step goes forward:
to look at the end is enough, and what was read in between is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
from attrs import define, evolve, field

from adapters.avro.program import (
    LeaveOut,
    Operation,
    PassOver,
    ReadArray,
    ReadDecimal,
    ReadRun,
    ReadUnion,
    ReadVarint,
)
from adapters.avro.spans import Positions
from adapters.avro.varints import WORD, Numbers, gather, take_varints

Rows: TypeAlias = slice | npt.NDArray[np.int64]
"""Which rows of the output; all of them, or their numbers."""

_EXACT = 1 << 53
"""Whole numbers up to here are exact in float64."""


def read_columns(
    program: Sequence[Operation],
    data: npt.NDArray[np.uint8],
    starts: Positions,
    ends: Positions,
    out: npt.NDArray[np.generic],
) -> npt.NDArray[np.bool_]:
    """
    Read the records of *data* from *starts* to *ends* into the rows of *out*.

    Returns:
        Which of them are odd: bad, or to be read one by one.
    """
    columns = _Columns(data, out)
    at = starts.copy()
    with np.errstate(all="ignore"):  # odd rows may hold anything
        columns.run(program, at, slice(None), 0)
    return cast("npt.NDArray[np.bool_]", columns.odd | (at != ends))


def view_columns(
    program: Sequence[Operation],
    data: memoryview,
    rows: int,
    dtype: np.dtype[np.generic],
) -> npt.NDArray[np.generic] | None:
    """View *data* as *rows* records of one type; None if they are more than that."""
    if len(program) != 1 or not isinstance(run := program[0], ReadRun):
        return None
    if len(run.parts) != 1 or run.parts[0].flag or run.parts[0].first != 0:
        return None
    if run.dtype[run.parts[0].name].base != dtype:
        return None
    if rows * run.dtype.itemsize != len(data):
        return None
    return np.frombuffer(data, dtype).reshape(rows, run.parts[0].count)


@define(eq=False)
class _Columns:
    """
    A batch while it is read.

    Attributes:
        data: The bytes of all records, and what a word reads past them.

        out: A row per record, all 0.

        odd: Which records are to be read one by one.
    """

    data: npt.NDArray[np.uint8]
    out: npt.NDArray[np.generic]
    odd: npt.NDArray[np.bool_] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.odd = np.zeros(len(self.out), np.bool_)
        padded = np.zeros(len(self.data) + WORD, np.uint8)
        padded[: len(self.data)] = self.data
        self.data = padded

    def run(
        self, program: Sequence[Operation], at: Positions, rows: Rows, base: int
    ) -> None:
        """
        Read one operation after the other.

        Args:
            program: The operations.

            at: Where they begin; where they end, afterwards.

            rows: The rows that *at* is about.

            base: The element that the operations count from.
        """
        for operation in program:
            match operation:
                case ReadRun():
                    self._run(operation, at, rows, base)
                case ReadVarint():
                    self._varint_of(operation, at, rows, base)
                case ReadDecimal():
                    self._decimal(operation, at, rows, base)
                case ReadUnion():
                    self._union(operation, at, rows, base + operation.first)
                case ReadArray():
                    self._array(operation, at, rows, base + operation.first)
                case PassOver():
                    at += self._length(at, rows)
                case LeaveOut():
                    self.odd[rows] = True

    def _run(self, run: ReadRun, at: Positions, rows: Rows, base: int) -> None:
        found = cast("npt.NDArray[np.void]", gather(self.data, run.dtype, at))
        at += run.dtype.itemsize
        for part in run.parts:
            values = found[part.name]
            if part.flag and (strange := values > 1).any():
                self._mark(rows, np.any(strange, axis=1))
            if part.first is None:
                continue
            first = base + part.first
            if part.count > 4:
                self.out[rows, first : first + part.count] = values
                continue
            for element in range(part.count):  # faster than NumPy's short inner loop
                self.out[rows, first + element] = values[:, element]

    def _varint_of(
        self, read: ReadVarint, at: Positions, rows: Rows, base: int
    ) -> None:
        values = self._varint(at, rows, read.bits)
        if read.symbols:
            strange = (values < 0) | (values >= read.symbols)
            if strange.any():
                self._mark(rows, strange)
            if read.indices is not None:
                values = read.indices.take(values, mode="clip")
                self._mark(rows, values < 0)
        if read.first is not None:
            self.out[rows, base + read.first] = values

    def _decimal(self, read: ReadDecimal, at: Positions, rows: Rows, base: int) -> None:
        if read.size is None:
            sizes = self._length(at, rows)
        else:
            sizes = np.full(len(at), read.size, np.int64)
        words = gather(self.data, np.dtype("<u8"), at).byteswap().view(np.int64)
        at += sizes
        unscaled = words >> np.clip(8 * (WORD - sizes), 0, 63)
        unscaled[sizes == 0] = 0
        large = (sizes > WORD) | (np.abs(unscaled) > _EXACT)
        if read.scale > 22:  # the power of ten is not exact either
            large[:] = True
        self._mark(rows, large)
        if read.first is not None:
            self.out[rows, base + read.first] = unscaled / 10.0**read.scale

    def _union(self, read: ReadUnion, at: Positions, rows: Rows, base: int) -> None:
        indices = self._varint(at, rows, 64)
        known = np.zeros(len(at), np.bool_)
        for index, branch in enumerate(read.branches):
            chosen = indices == index
            count = np.count_nonzero(chosen)
            if not count or branch is None:
                continue
            known |= chosen
            if not branch:
                continue  # null leaves 0
            if count == len(at):
                self.run(branch, at, rows, base)
                continue
            picked = np.flatnonzero(chosen)
            sub = at[picked]
            self.run(branch, sub, _select(rows, picked), base)
            at[picked] = sub
        if not known.all():
            self._mark(rows, ~known)

    def _array(self, read: ReadArray, at: Positions, rows: Rows, base: int) -> None:
        self._mark(rows, self._block(at, rows) != read.length)
        if not read.length:
            return
        only = read.items[0]
        if len(read.items) == 1 and isinstance(only, ReadRun) and len(only.parts) == 1:
            self._run(_repeat(only, read.length), at, rows, base)
        else:
            for item in range(read.length):
                self.run(read.items, at, rows, base + item * read.width)
        self._mark(rows, self._block(at, rows) != 0)

    def _block(self, at: Positions, rows: Rows) -> Numbers:
        """Return how many items a block has."""
        counts = self._varint(at, rows, 64)
        if (counts < 0).any():  # then its size follows, which nobody needs
            picked = np.flatnonzero(counts < 0)
            sub = at[picked]
            self._varint(sub, _select(rows, picked), 64)
            at[picked] = sub
        return cast("Numbers", np.abs(counts))

    def _length(self, at: Positions, rows: Rows) -> npt.NDArray[np.int64]:
        """Return a length; 0 where there can be none."""
        lengths = self._varint(at, rows, 64).astype(np.int64)
        strange = (lengths < 0) | (lengths > len(self.data))
        self._mark(rows, strange)
        lengths[strange] = 0
        return lengths

    def _varint(self, at: Positions, rows: Rows, bits: int) -> Numbers:
        numbers, strange = take_varints(self.data, at, bits)
        if strange is not None:
            self._mark(rows, strange)
        return numbers

    def _mark(self, rows: Rows, odd: npt.NDArray[np.bool_]) -> None:
        if isinstance(rows, slice):
            self.odd |= odd
        else:
            self.odd[rows[odd]] = True


def _select(rows: Rows, picked: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return picked if isinstance(rows, slice) else rows[picked]


def _repeat(run: ReadRun, times: int) -> ReadRun:
    """Return the run of as many items, each of which is one part."""
    (part,) = run.parts
    count = part.count * times
    return ReadRun(
        np.dtype([(part.name, run.dtype[part.name].base, (count,))]),
        (evolve(part, count=count),),
    )
