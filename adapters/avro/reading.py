"""
One record after the other: slower than columns, but exact about what is wrong.

It settles the lengths of arrays, says why a record is bad, and reads what columns do
not: arrays of several blocks, decimals of more than 53 bits, few records.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from attrs import define, field

from adapters.avro.steps import (
    MOST_ELEMENTS,
    Array,
    Decimal,
    Lengths,
    Number,
    Skipped,
    Step,
    Union,
    Varint,
    width,
)
from adapters.wire.faults import BadRecord

Numbers = list[int | float]

_LETTERS = {"b": "?", "f4": "f", "f8": "d", "u1": "B"}


def read_record(
    name: str, encoded: bytes, steps: Iterable[Step], lengths: Lengths | None
) -> tuple[dict[str, Numbers], Lengths]:
    """
    Return the numbers of a record by path, and how long its arrays are.

    Args:
        name: ``data`` or ``label``, for messages.

        encoded: All of it.

        steps: What to read.

        lengths: How long arrays must be; None if this record settles it.

    Raises:
        BadRecord: It is not of these steps.
    """
    reader = _Reader(name, encoded, dict(lengths or {}), settled=lengths is not None)
    numbers = {step.path: reader.read(step) for step in steps}
    if reader.at != len(encoded):
        raise BadRecord(
            "trailing", f"{name} has {len(encoded)} bytes, wanted {reader.at}"
        )
    return numbers, reader.lengths


@define
class _Reader:
    """
    Reads from the front to the back.

    Attributes:
        name: ``data`` or ``label``, for messages.

        encoded: The record.

        lengths: How long arrays are; those that were met, if not settled.

        settled: Whether other arrays are refused.

        at: Bytes that were read.
    """

    name: str
    encoded: bytes = field(repr=False)
    lengths: dict[str, int]
    settled: bool
    at: int = 0
    _skipping: bool = False

    def read(self, step: Step) -> Numbers:
        """Return the numbers of *step*."""
        match step:
            case Number():
                return self._number(step)
            case Varint():
                return [self._varint_of(step)]
            case Decimal():
                return [self._decimal(step)]
            case Union():
                return self._union(step)
            case Array():
                return self._array(step)
            case Skipped():
                return self._skip(step)

    def _number(self, step: Number) -> Numbers:
        kind, size = step.dtype.str[1:], step.count * step.dtype.itemsize
        encoded = self._take(step.path, size)
        if step.dtype.kind == "b" and encoded[0] > 1:
            raise self._bad("value", step.path, "a boolean that is neither 0 nor 1")
        letter = _LETTERS.get(kind, _LETTERS.get(kind[0], ""))
        return list(struct.unpack(f"<{step.count}{letter}", encoded))

    def _varint_of(self, step: Varint) -> int:
        number = self._varint(step.path, 8 * step.dtype.itemsize)
        if not step.symbols:
            return number
        if not 0 <= number < len(step.symbols):
            raise self._bad(
                "value", step.path, f"no such symbol, there are {len(step.symbols)}"
            )
        if step.indices is not None:
            number = step.indices[number]
        if number < 0:
            raise self._bad("schema", step.path, "a symbol of the writer's alone")
        return number

    def _decimal(self, step: Decimal) -> float:
        size = step.size
        if size is None:
            size = self._length(step.path)
        unscaled = int.from_bytes(self._take(step.path, size), "big", signed=True)
        try:
            return float(unscaled / 10**step.scale)
        except OverflowError:
            raise self._bad("value", step.path, "a decimal beyond float64") from None

    def _union(self, step: Union) -> Numbers:
        index = self._varint(step.path, 64)
        if not 0 <= index < len(step.branches):
            raise self._bad(
                "value", step.path, f"no such branch, there are {len(step.branches)}"
            )
        branch = step.branches[index]
        if branch is None:
            raise self._bad("schema", step.path, "a branch of the writer's alone")
        if not branch:  # null
            return [0] * (0 if self._skipping else width([step], self.lengths))
        return [number for inner in branch for number in self.read(inner)]

    def _array(self, step: Array) -> Numbers:
        numbers: Numbers = []
        count = 0
        while block := self._varint(step.path, 64):
            if block < 0:  # its size follows, for those who pass it over
                block = -block
                self._varint(step.path, 64)
            if block > len(self.encoded) - self.at:  # an item takes a byte or more
                raise self._short(step.path, block)
            count += block
            if count * width(step.items, self.lengths) > MOST_ELEMENTS:
                raise self._bad(
                    "size", step.path, f"more than {MOST_ELEMENTS:,} numbers"
                )
            for _ in range(block):
                for inner in step.items:
                    numbers += self.read(inner)
        if self._skipping:
            return numbers
        wanted = self.lengths.get(step.path)
        if wanted is None and not self.settled:
            self.lengths[step.path] = wanted = count
        if count != wanted:
            raise self._bad("size", step.path, f"{count} items, wanted {wanted}")
        return numbers

    def _skip(self, step: Skipped) -> Numbers:
        if not step.steps:
            self._take(step.path, self._length(step.path))
            return []
        before, self._skipping = self._skipping, True
        for inner in step.steps:
            self.read(inner)
        self._skipping = before
        return []

    def _length(self, path: str) -> int:
        length = self._varint(path, 64)
        if length < 0:
            raise self._bad("value", path, "a negative length")
        return length

    def _varint(self, path: str, bits: int) -> int:
        number = shift = 0
        while True:
            byte = self._take(path, 1)[0]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift >= bits:
                raise self._bad("value", path, f"a number of more than {bits} bits")
        if number >> bits:
            raise self._bad("value", path, f"a number of more than {bits} bits")
        return (number >> 1) ^ -(number & 1)

    def _take(self, path: str, size: int) -> bytes:
        """Return the next *size* bytes."""
        if size > len(self.encoded) - self.at:
            raise self._short(path, size)
        self.at += size
        return self.encoded[self.at - size : self.at]

    def _short(self, path: str, size: int) -> BadRecord:
        return BadRecord(
            "truncated",
            f"{self.name} has {len(self.encoded)} bytes, wanted {size} or more for "
            f"{path} at byte {self.at}",
        )

    def _bad(self, kind: str, path: str, reason: str) -> BadRecord:
        return BadRecord(
            kind,
            f"{self.name} has {len(self.encoded)} bytes, {path} before byte {self.at} "
            f"is {reason}",
        )


def place(
    numbers: Mapping[str, Numbers],
    paths: Iterable[str],
    defaults: Mapping[str, Numbers],
) -> Numbers:
    """Return *numbers* side by side, in the order of *paths*."""
    return [
        number
        for path in paths
        for number in (numbers[path] if path in numbers else defaults[path])
    ]
