"""When a training is kept, and what of it."""

from __future__ import annotations

import pytest
from attrs import define

from adapters.memory.journal import MemoryJournal
from domain.errors import Unavailable
from domain.keeping import Keeping
from domain.report import EpochMetrics

EPOCH = EpochMetrics({"loss": 0.5})


@define
class Clock:
    """Stands still between its own steps."""

    now: float = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def run(tmp_path):
    return MemoryJournal(tmp_path).run("one")


def write(folder):
    (folder / "weights").write_bytes(b"weights")


def saving(clock, seconds):
    """Return what writes for so many *seconds*."""

    def slowly(folder):
        clock.now += seconds
        write(folder)

    return slowly


def test_goes_on(run, clock):
    """Epochs, steps and time go on where they were."""
    first = Keeping(run, 10, 60, clock)
    first.add(EPOCH)
    clock.now += 7
    first.save(write, 3)

    clock.now = 5_000.0
    second = Keeping(run, 10, 60, clock)
    clock.now += 2
    second.add(EPOCH)

    assert 3 == second.latest.progress.steps
    assert (EPOCH, EPOCH) == second.history
    assert 9 == second.seconds


def test_other_parts(run, clock):
    """A checkpoint of parts cut from another number of examples is not used."""
    first = Keeping(run, 10, 60, clock)
    first.add(EPOCH)
    first.save(write, 0)

    second = Keeping(run, 9, 60, clock)

    assert second.latest is None
    assert () == second.history


def test_within_an_epoch(run, clock):
    """Within an epoch it is due after the time that was asked for."""
    keeping = Keeping(run, 10, 60, clock)
    assert not keeping.due(epoch_ended=False)
    clock.now += 59
    assert not keeping.due(epoch_ended=False)
    clock.now += 1
    assert keeping.due(epoch_ended=False)
    keeping.save(write, 1)
    assert not keeping.due(epoch_ended=False)


@pytest.mark.parametrize("cost", [0.5, 3.0])
def test_share(run, clock, cost):
    """However often it might be due, it takes a fiftieth of the time."""
    keeping = Keeping(run, 10, 60, clock)
    clock.now += 60
    keeping.save(saving(clock, cost), 1)

    for ended in (True, False):
        assert not keeping.due(epoch_ended=ended)
    clock.now += 50 * cost - 0.01
    assert not keeping.due(epoch_ended=True)
    clock.now += 0.02
    assert keeping.due(epoch_ended=True)


def test_whatever_it_costs(run, clock):
    """With 0 seconds it is always due."""
    keeping = Keeping(run, 10, 0, clock)
    keeping.save(saving(clock, 100), 1)

    assert keeping.due(epoch_ended=False)


def test_no_room(run, clock, caplog):
    """Where a checkpoint cannot be kept, training goes on, and the log says why."""
    keeping = Keeping(run, 10, 60, clock)

    def full(_):
        raise Unavailable("/state: No space left on device")

    keeping.save(full, 4)

    (line,) = caplog.records
    assert "checkpoint not kept" == line.message
    assert "/state: No space left on device" == line.reason


def test_start_over(run, clock):
    """What a trainer cannot go on from is forgotten, its time included."""
    first = Keeping(run, 10, 60, clock)
    first.add(EPOCH)
    clock.now += 7
    first.save(write, 3)

    second = Keeping(run, 10, 60, clock)
    second.start_over()

    assert second.latest is None
    assert () == second.history
    assert 0 == second.seconds
