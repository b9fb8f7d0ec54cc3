"""Rates and rests on known numbers."""

from __future__ import annotations

import pytest

from adapters.progress.rates import Extent, Pace, fit, reading, significant
from domain.chronicle import Chronicle
from domain.events import (
    RecordsRead,
    StepsDone,
    StreamOpened,
    StreamRead,
    TopicFollowed,
)
from domain.offsets import OffsetRange
from domain.report import StreamCounts


def test_pace():
    """What was done, by the time that it took; the rest takes as long."""
    pace = Pace(window=30)
    for second in range(11):
        pace.note(100 + second, 50 * second)

    assert 50 == pace.per_second
    assert 20 == pace.seconds_for(1000)


def test_unknown():
    """One look is none; what stands still never ends."""
    pace = Pace()
    assert pace.per_second is None
    assert pace.seconds_for(10) is None

    pace.note(0, 7)
    assert pace.per_second is None
    pace.note(0, 8)
    assert pace.per_second is None
    pace.note(5, 8)
    assert 0.2 == pace.per_second

    still = Pace()
    still.note(0, 8)
    still.note(5, 8)
    assert 0 == still.per_second
    assert still.seconds_for(10) is None


def test_window():
    """What was long ago does not count."""
    pace = Pace(window=10)
    for second in range(101):
        pace.note(second, 1000 * min(second, 50) + 10 * max(second - 50, 0))

    assert 10 == pytest.approx(pace.per_second)


def test_many_looks():
    """Looks without number are not kept, and the last one counts."""
    pace = Pace(window=10)
    for number in range(100_001):
        pace.note(number / 1000, number)

    assert 1000 == pytest.approx(pace.per_second, rel=0.01)
    assert len(pace._samples) < 30


def test_new_beginning():
    """Less than before is another epoch, or another stream."""
    pace = Pace()
    pace.note(0, 0)
    pace.note(1, 100)
    pace.note(2, 1)
    assert pace.per_second is None

    pace.note(4, 21)
    assert 10 == pace.per_second


def test_extent():
    """Percent are rounded down: 100 is the end."""
    assert (99, 1) == (Extent(999, 1000).percent, Extent(999, 1000).rest)
    assert (None, None) == (Extent(7, None).percent, Extent(7, None).rest)
    assert (None, 0) == (Extent(0, 0).percent, Extent(0, 0).rest)


def test_reading():
    """A stream counts from its opening to its end, which gaps may hide."""
    chronicle = Chronicle()
    assert reading(chronicle.story()) is None

    chronicle(StreamOpened((OffsetRange("a", 0, 40, 100),), StreamCounts(100, 40, 0)))
    chronicle(RecordsRead("a", 0, 40, 59, 20, 0, 1))
    assert Extent(60, 100) == reading(chronicle.story())

    chronicle(RecordsRead("a", 0, 60, 98, 39, 0, 1))
    assert Extent(99, 100) == reading(chronicle.story())
    chronicle(StreamRead(StreamCounts(100, 99, 0)))
    assert reading(chronicle.story()) is None

    chronicle(TopicFollowed("b", ((0, 7),)))
    assert Extent(99, None) == reading(chronicle.story())


def test_fit():
    """All epochs of a fit are one way."""
    assert Extent(230, 500) == fit(StepsDone(epoch=3, epochs=5, step=30, steps=100))


@pytest.mark.parametrize(
    ("number", "told"),
    [(0.0, 0.0), (123456.0, 123000.0), (0.00123456, 0.00123), (-1.239, -1.24)],
)
def test_significant(number, told):
    """As many digits as are exact."""
    assert told == significant(number, 3)


def test_not_a_number():
    """It stays what it is."""
    assert significant(float("inf")) == float("inf")
