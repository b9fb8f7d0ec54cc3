"""Zigzag numbers of variable width, many at once."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from adapters.avro.spans import Positions

Numbers: TypeAlias = npt.NDArray[np.signedinteger[Any]]

WORD = 8
"""Bytes that are looked at together, and that must be there behind the last record."""

_ONE = np.uint64(1)
_HIGH_BITS = np.uint64(0x8080808080808080)
_GROUPS = (  # of 7, 14 and 28 bits, and how far the upper one of two is to come down
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2)),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4)),
)


def take_varints(
    data: npt.NDArray[np.uint8], at: Positions, bits: int
) -> tuple[Numbers, npt.NDArray[np.bool_] | None]:
    """
    Return the numbers that begin at *at*, and move it past them.

    Args:
        data: The bytes, and a word behind them.

        at: Where they begin, or anything behind the data.

        bits: How long a number may be, 32 or 64.

    Returns:
        The numbers, of as few bits as hold them all, and which are too long, if any.
    """
    first = data.take(at, mode="clip")
    longer = first > 127
    if not longer.any():
        at += 1
        return ((first >> 1) ^ -(first & 1)).view(np.int8), None
    second = data.take(at + 1, mode="clip")
    if not (longer & (second > 127)).any():
        short = (second * longer).astype(np.uint16) << 7 | (first & 127)
        at += 1
        at += longer
        return ((short >> 1) ^ -(short & 1)).view(np.int16), None
    picked = np.flatnonzero(longer)
    numbers = first.astype(np.uint64)
    sizes = np.ones(len(at), np.int64)
    strange = np.zeros(len(at), np.bool_)
    numbers[picked], sizes[picked], strange[picked] = _long(data, at[picked], bits)
    at += sizes
    return ((numbers >> _ONE) ^ -(numbers & _ONE)).view(np.int64), strange


def _long(
    data: npt.NDArray[np.uint8], at: Positions, bits: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the bits and the sizes of numbers, and which are too long."""
    words = cast("npt.NDArray[np.uint64]", gather(data, np.dtype("<u8"), at))
    stops = ~words & _HIGH_BITS
    before = (stops & -stops) - _ONE  # all bits, if there is no stop
    sizes = np.bitwise_count(before & _HIGH_BITS).astype(np.int64) + 1
    numbers = words & before & ~_HIGH_BITS
    for lower, upper, shift in _GROUPS:
        numbers = (numbers & lower) | ((numbers & upper) >> shift)
    if bits < 64:
        return numbers, sizes, (sizes > 5) | (numbers >> np.uint64(bits) != 0)
    if not (open_ended := sizes > WORD).any():
        return numbers, sizes, np.zeros(len(at), np.bool_)
    ninth = data.take(at + WORD, mode="clip").astype(np.uint64) * open_ended
    longest = ninth > 127
    tenth = data.take(at + WORD + 1, mode="clip").astype(np.uint64) * longest
    numbers |= (ninth & np.uint64(127)) << np.uint64(56)
    numbers |= tenth << np.uint64(63)
    return numbers, sizes + longest, tenth > 1


def gather(
    data: npt.NDArray[np.uint8], dtype: np.dtype[np.generic], at: Positions
) -> npt.NDArray[np.generic]:
    """Return the elements that begin at the bytes *at*; anything where none can."""
    count = len(data) - dtype.itemsize + 1
    if count < 1:
        return np.zeros(len(at), dtype)
    # An element begins at every byte; as void, NumPy does not mind that they overlap.
    void = np.dtype((np.void, dtype.itemsize))
    view: npt.NDArray[np.void] = np.ndarray((count,), void, data, 0, (1,))
    return cast("npt.NDArray[np.generic]", view[np.minimum(at, count - 1)].view(dtype))
