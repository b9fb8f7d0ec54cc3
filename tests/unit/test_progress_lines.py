"""Records of progress: seldom, and exact."""

from __future__ import annotations

import logging
import threading
from itertools import pairwise

import pytest
from attrs import define

from adapters.progress.lines import ProgressLines
from domain.chronicle import Chronicle
from domain.events import (
    EpochEnded,
    RecordsRead,
    StepsDone,
    StreamOpened,
    TopicFollowed,
)
from domain.offsets import OffsetRange
from domain.phases import Phase
from domain.report import EpochMetrics, StreamCounts

READING, TRAINING = "stream is being read", "epoch is being trained"


@define
class Clock:
    """Stands still between its own steps."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tell(clock):
    chronicle = Chronicle(clock)
    lines = ProgressLines(chronicle.story, clock)

    def tell(event):
        chronicle(event)
        lines(event)

    return tell


@pytest.fixture(autouse=True)
def at_info(caplog):
    caplog.set_level(logging.INFO, "adapters.progress.lines")


def opened(offsets, before=0):
    rest = (OffsetRange("data", 0, before, offsets),)
    return StreamOpened(rest, StreamCounts(offsets, before, 0))


def read(first, last, rejected=0):
    records = last + 1 - first
    return RecordsRead("data", 0, first, last, records, rejected, 8 * records)


def test_reading(tell, clock, caplog):
    """Percent, records, their rate and the rest's time, after ten percent more."""
    tell(opened(1000))
    for first in range(0, 1000, 20):  # two percent a second
        clock.now += 1
        tell(read(first, first + 19, rejected=1))

    assert {READING} == {record.message for record in caplog.records}
    assert [10, 20, 30, 40, 50, 60, 70, 80, 90] == [r.percent for r in caplog.records]
    second = caplog.records[1]
    assert (200, 20.0, 40.0) == (
        second.records,
        second.records_per_second,
        second.eta_seconds,
    )


def test_not_too_often(tell, clock, caplog):
    """Ten percent that come sooner wait for their five seconds."""
    tell(opened(1000))
    for first in range(0, 1000, 50):  # five percent, half a second
        clock.now += 0.5
        tell(read(first, first + 49))

    assert [50] == [record.percent for record in caplog.records]
    assert 100 == caplog.records[0].records_per_second


def test_quick(tell, clock, caplog):
    """What is quick says nothing."""
    tell(opened(1000))
    tell(Phase.TRAINING)
    for step in range(1, 101):
        clock.now += 0.02
        tell(read(10 * step - 10, 10 * step - 1))
        tell(StepsDone(1, 1, step, 100))

    assert [] == caplog.records


def test_taken_up(tell, clock, caplog):
    """What another process has read counts for the percent, not for the rate."""
    tell(opened(1000, before=500))
    clock.now += 10
    tell(read(500, 699))

    (record,) = caplog.records
    assert (70, 200, 20, 15) == (
        record.percent,
        record.records,
        record.records_per_second,
        record.eta_seconds,
    )


def test_without_end(tell, clock, caplog):
    """A stream without an end has a record a minute, and no percent."""
    tell(TopicFollowed("data", ((0, 0),)))
    for first in range(180):
        clock.now += 1
        tell(read(first, first))

    assert [60, 120, 180] == [record.records for record in caplog.records]
    assert {None} == {record.percent for record in caplog.records}
    assert {None} == {record.eta_seconds for record in caplog.records}
    assert 1 == caplog.records[-1].records_per_second


def test_epochs(tell, clock, caplog):
    """Steps, their rate, the time for all epochs, and what the last one came to."""
    metrics = EpochMetrics({"loss": 0.5}, {"loss": 0.25})
    tell(Phase.TRAINING)
    for epoch in (1, 2):
        for step in range(1, 101):
            clock.now += 0.2
            tell(StepsDone(epoch, 4, step, 100))
        tell(EpochEnded(epoch, metrics))

    assert {TRAINING} == {record.message for record in caplog.records}
    told = [(record.epoch, record.percent) for record in caplog.records]
    assert [1, 1, 1, 2, 2, 2] == [epoch for epoch, _ in told]
    steps = [percent for _, percent in told]
    assert all(later - sooner >= 25 for sooner, later in pairwise(steps[:3]))
    assert all(later - sooner >= 25 for sooner, later in pairwise(steps[3:]))
    first, last = caplog.records[0], caplog.records[-1]
    assert ({}, {}) == (first.training, first.validation)
    assert ({"loss": 0.5}, {"loss": 0.25}) == (last.training, last.validation)
    assert (4, 100, 5.0) == (last.epochs, last.steps, last.steps_per_second)
    assert (200 + 100 - last.step) / 5 == pytest.approx(last.eta_seconds, rel=0.01)


def test_end_of_epoch(tell, clock, caplog):
    """Its own record tells of it."""
    tell(Phase.TRAINING)
    clock.now += 60
    tell(StepsDone(1, 2, 10, 10))

    assert [] == caplog.records


def test_short_epochs(tell, clock, caplog):
    """However many there are, each of them is quick."""
    tell(Phase.TRAINING)
    for epoch in range(1, 100):
        for step in range(1, 5):
            clock.now += 1
            tell(StepsDone(epoch, 100, step, 4))
        tell(EpochEnded(epoch, EpochMetrics({"loss": 0.5})))

    assert [] == caplog.records


def test_threads(tell, clock, caplog):
    """Records may come beside steps."""
    tell(opened(100_000))
    tell(Phase.TRAINING)

    def do(events):
        for event in events:
            clock.now += 0.01
            tell(event)

    threads = [
        threading.Thread(target=do, args=(events,))
        for events in (
            [read(first, first + 9) for first in range(0, 100_000, 10)],
            [StepsDone(1, 1, step, 10_000) for step in range(1, 10_001)],
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for message in (READING, TRAINING):
        told = [r.percent for r in caplog.records if r.message == message]
        assert sorted(told) == told
        assert 0 < len(told) <= 9
