"""Steps, made ready for columns: adjacent numbers joined, elements assigned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

from adapters.avro.steps import (
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

Targets: TypeAlias = Mapping[str, int | None]
"""By path, the first element that a step fills; None if nobody wants it."""


@frozen
class Part:
    """
    Elements of one type within a run.

    Attributes:
        name: Its field in the run's dtype.

        first: The first element that it fills, None for none.

        count: How many elements.

        flag: Whether they are booleans.
    """

    name: str
    first: int | None
    count: int
    flag: bool


@frozen
class ReadRun:
    """
    Numbers of fixed width, end to end.

    Attributes:
        dtype: All of them as one structure, without gaps.

        parts: Its fields.
    """

    dtype: np.dtype[np.void]
    parts: tuple[Part, ...]


@frozen
class ReadVarint:
    """
    A zigzag number.

    Attributes:
        first: The element that it fills, None for none.

        bits: How long it may be.

        symbols: How many an enum has; 0 for none.

        indices: What they stand for.
    """

    first: int | None
    bits: int
    symbols: int = 0
    indices: npt.NDArray[np.int64] | None = field(default=None, eq=False)


@frozen
class ReadDecimal:
    """See Decimal; *first* as in ReadVarint."""

    first: int | None
    scale: int
    size: int | None


@frozen
class ReadUnion:
    """
    A union.

    Attributes:
        first: The element that its branches begin at.

        branches: Their operations; None for a branch that must not occur.
    """

    first: int
    branches: tuple[tuple[Operation, ...] | None, ...]


@frozen
class ReadArray:
    """
    An array, in one block.

    Attributes:
        first: The element that its first item begins at.

        length: Number of items.

        items: The operations of one item.

        width: Elements of one item.
    """

    first: int
    length: int
    items: tuple[Operation, ...]
    width: int


@frozen
class PassOver:
    """Bytes whose length precedes them."""


@frozen
class LeaveOut:
    """What columns do not read."""


Operation: TypeAlias = (
    ReadRun | ReadVarint | ReadDecimal | ReadUnion | ReadArray | PassOver | LeaveOut
)


def assemble(
    steps: Iterable[Step], targets: Targets, lengths: Lengths
) -> tuple[Operation, ...]:
    """Return the operations for *steps*, which fill *targets*."""
    operations: list[Operation] = []
    numbers: list[Number] = []
    for step in steps:
        if isinstance(step, Number):
            numbers.append(step)
            continue
        if numbers:
            operations.append(_run(numbers, targets))
            numbers = []
        operations.append(_operation(step, targets, lengths))
    if numbers:
        operations.append(_run(numbers, targets))
    return tuple(operations)


def side_by_side(steps: Iterable[Step], lengths: Lengths) -> dict[str, int | None]:
    """Return targets that follow each other in the order of *steps*."""
    targets: dict[str, int | None] = {}
    element = 0
    for step in steps:
        targets[step.path] = element
        element += width([step], lengths)
    return targets


def _operation(step: Step, targets: Targets, lengths: Lengths) -> Operation:
    first = targets.get(step.path)
    match step:
        case Varint():
            indices = np.array(step.indices, np.int64) if step.indices else None
            bits = 8 * step.dtype.itemsize
            return ReadVarint(first, bits, len(step.symbols), indices)
        case Decimal():
            return ReadDecimal(first, step.scale, step.size)
        case Union():
            return ReadUnion(
                first or 0,
                tuple(
                    None
                    if branch is None
                    else assemble(branch, _inner(branch, first, lengths), lengths)
                    for branch in step.branches
                ),
            )
        case Array():
            return ReadArray(
                first or 0,
                lengths.get(step.path, 0),
                assemble(step.items, _inner(step.items, first, lengths), lengths),
                width(step.items, lengths),
            )
        case Skipped(steps=()):
            return PassOver()
        case _:
            return LeaveOut()


def _inner(steps: Sequence[Step], first: int | None, lengths: Lengths) -> Targets:
    """Return targets within a union or an item, if it has any itself."""
    return {} if first is None else side_by_side(steps, lengths)


def _run(numbers: Sequence[Number], targets: Targets) -> ReadRun:
    """Join *numbers*; neighbours of one type become one part."""
    parts: list[Part] = []
    fields: list[tuple[str, npt.DTypeLike, int]] = []
    for number in numbers:
        first, flag = targets.get(number.path), number.dtype.kind == "b"
        stored = np.dtype("u1") if flag else number.dtype
        last = parts[-1] if parts else None
        if (
            last
            and fields[-1][1] == stored
            and last.flag == flag
            and last.first is not None
            and last.first + last.count == first
        ):
            count = last.count + number.count
            parts[-1] = Part(last.name, last.first, count, flag)
            fields[-1] = (last.name, stored, count)
        else:
            parts.append(Part(f"f{len(parts)}", first, number.count, flag))
            fields.append((parts[-1].name, stored, number.count))
    shaped = [(name, stored, (count,)) for name, stored, count in fields]
    return ReadRun(np.dtype(shaped), tuple(parts))
