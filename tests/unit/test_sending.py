"""Where our own records lie."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.offsets import OffsetRange
from domain.sending import Placements


def ranges(*placed):
    placements = Placements("t")
    for partition, offset in placed:
        placements.add(partition, offset)
    return placements.ranges()


def test_none():
    """No records, no ranges."""
    assert () == ranges()


def test_runs():
    """What follows each other is one range; the end is exclusive."""
    assert (OffsetRange("t", 0, 5, 8), OffsetRange("t", 0, 9, 10)) == ranges(
        (0, 5), (0, 6), (0, 7), (0, 9)
    )


def test_partitions():
    """Partitions come in ascending order, each with its own offsets."""
    assert (OffsetRange("t", 1, 3, 4), OffsetRange("t", 2, 3, 5)) == ranges(
        (2, 3), (1, 3), (2, 4)
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), unique=True))
def test_exact(placed):
    """Whatever the order of the reports: those offsets, no others, in few ranges."""
    found = ranges(*placed)

    assert sorted(placed) == [
        (one.partition, offset) for one in found for offset in range(one.start, one.end)
    ]
    neighbours = {(one.partition, one.end) for one in found}
    assert neighbours.isdisjoint((one.partition, one.start) for one in found)
