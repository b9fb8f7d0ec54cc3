"""
What is read of a record, in order: a schema without its names and nesting.

Nested records are put side by side, so that a record is a tuple of steps::

    Number    fixed width: boolean, float, double, the bytes of a fixed
    Varint    int, long, enum
    Decimal   big-endian integer in bytes or in a fixed, divided by a power of ten
    Union     a branch by its index, then its steps
    Array     blocks of items, each item its steps
    Skipped   what a writer wrote and nobody reads

A step's *path* names it within its record: ``position.x``, ``samples[]``, and
``age(float)`` for a union's branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from attrs import frozen

Lengths: TypeAlias = Mapping[str, int]
"""By an array's path, how many items every record has."""

MOST_ELEMENTS = 1 << 24
"""Elements that an example may have: null in a byte may stand for many."""


@frozen
class Number:
    """
    One number or more of fixed width, of *dtype*; `?` for a boolean.

    Attributes:
        path: Its name.

        dtype: Type of the elements, little-endian.

        count: How many elements.
    """

    path: str
    dtype: np.dtype[np.generic]
    count: int = 1


@frozen
class Varint:
    """
    A zigzag number of variable width.

    Attributes:
        path: Its name.

        dtype: Type of the number, int32 or int64.

        symbols: The symbols of an enum, whose index the number is.

        indices: What an index stands for, if not for itself: the reader's index of the
            same symbol, or -1.
    """

    path: str
    dtype: np.dtype[np.generic]
    symbols: tuple[str, ...] = ()
    indices: tuple[int, ...] | None = None


@frozen
class Decimal:
    """
    A decimal.

    Attributes:
        path: Its name.

        scale: Digits behind the point.

        size: Its bytes; None if a length precedes them.
    """

    path: str
    scale: int
    size: int | None = None

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the number."""
        return np.dtype("<f8")


@frozen
class Union:
    """
    One of several branches.

    Attributes:
        path: Its name.

        branches: Their steps; none for null; None for a branch that must not occur.
    """

    path: str
    branches: tuple[tuple[Step, ...] | None, ...]


@frozen
class Array:
    """
    Items, as many in every record.

    Attributes:
        path: Its name.

        items: The steps of one item.
    """

    path: str
    items: tuple[Step, ...]


@frozen
class Skipped:
    """
    What is passed over.

    Attributes:
        path: Its name.

        steps: Its steps; none for a string or bytes.
    """

    path: str
    steps: tuple[Step, ...] = ()


Step: TypeAlias = Number | Varint | Decimal | Union | Array | Skipped


def width(steps: Iterable[Step], lengths: Lengths) -> int:
    """Count the elements that *steps* add to an example."""
    return sum(_width(step, lengths) for step in steps)


def _width(step: Step, lengths: Lengths) -> int:
    match step:
        case Number():
            return step.count
        case Union():
            return max(width(branch or (), lengths) for branch in step.branches)
        case Array():
            return lengths.get(step.path, 0) * width(step.items, lengths)
        case Skipped():
            return 0
        case _:
            return 1


def least(steps: Iterable[Step], lengths: Lengths) -> int:
    """Count the bytes that *steps* take at least."""
    return sum(_least(step, lengths) for step in steps)


def _least(step: Step, lengths: Lengths) -> int:
    match step:
        case Number():
            return step.count * step.dtype.itemsize
        case Decimal(size=int(size)):
            return size
        case Union():
            return 1 + min(least(branch or (), lengths) for branch in step.branches)
        case Array():
            count = lengths.get(step.path, 0)
            return count * least(step.items, lengths) + (2 if count else 1)
        case _:
            return 1


def dtypes(steps: Iterable[Step]) -> Iterator[np.dtype[np.generic]]:
    """Yield the type of every number in *steps*."""
    for step in steps:
        match step:
            case Union():
                for branch in step.branches:
                    yield from dtypes(branch or ())
            case Array():
                yield from dtypes(step.items)
            case Skipped():
                pass
            case _:
                yield step.dtype


def has_arrays(steps: Iterable[Step]) -> bool:
    """Whether a length is to be settled by a record."""
    return any(isinstance(step, Array) for step in steps)
