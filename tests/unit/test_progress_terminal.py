"""What a terminal shows, at the widths that people have."""

from __future__ import annotations

import os
import pty
import struct
from fcntl import ioctl
from termios import TIOCSWINSZ

import pytest
from attrs import define
from rich.console import Console

from adapters.progress.terminal import TerminalProgress
from domain.chronicle import Chronicle
from domain.events import (
    EpochEnded,
    JobEnded,
    RecordsRead,
    StepsDone,
    StreamOpened,
    TopicFollowed,
)
from domain.offsets import OffsetRange
from domain.phases import Phase
from domain.report import EpochMetrics, StreamCounts


@define
class Clock:
    """Stands still between its own steps."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@define
class Look:
    """A display, its story, and a look at it."""

    display: TerminalProgress
    chronicle: Chronicle
    clock: Clock
    columns: int
    heights: list[int]

    def __call__(self, seconds: float = 0.0) -> list[str]:
        """Let so much time go by, and return what is to be seen then."""
        self.clock.now += seconds
        paper = Console(width=self.columns, color_system=None, legacy_windows=False)
        with paper.capture() as captured:
            paper.print(self.display.picture())
        return [line.rstrip() for line in captured.get().splitlines()]


@pytest.fixture(params=[80, 120])
def look(request):
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, struct.pack("HHHH", 40, request.param, 0, 0))
    clock, heights = Clock(), []
    chronicle = Chronicle(clock)
    with os.fdopen(slave, "w") as stream:
        display = TerminalProgress(chronicle.story, stream, heights.append, clock)
        yield Look(display, chronicle, clock, request.param, heights)
    os.close(master)


def test_nothing(look):
    """Before the first event there is nothing."""
    assert [] == "".join(look()).split()


def test_waiting(look):
    """How long it has been."""
    look.chronicle(Phase.WAITING)

    (line,) = look(3723)

    assert line.endswith("waiting for a control message 1:02:03")


def test_reading(look):
    """A bar over the whole width, the rate and the rest's time."""
    look.chronicle(Phase.READING)
    rest = (OffsetRange("data", 0, 0, 10_000),)
    look.chronicle(StreamOpened(rest, StreamCounts(10_000, 0, 0)))
    look()
    look.chronicle(RecordsRead("data", 0, 0, 2499, 2500, 0, 1))

    (line,) = look(2)

    assert line.startswith("reading   ━")
    assert line.endswith("25 %  1,250 records/s  0:00:06 left")
    assert look.columns == len(line)


def test_following(look):
    """A stream without an end has a count."""
    look.chronicle(Phase.READING)
    look.chronicle(TopicFollowed("data", ((0, 0),)))
    look()
    look.chronicle(RecordsRead("data", 0, 0, 2499, 2500, 0, 1))

    (line,) = look(2)

    assert line.startswith("following ━")
    assert line.endswith("2,500 records  1,250 records/s")


def test_epochs(look):
    """Steps, and the latest metrics below; the bar stays where one epoch ends."""
    metrics = EpochMetrics({"loss": 0.123456, "accuracy": 0.5}, {"loss": 2.0})
    look.chronicle(Phase.TRAINING)
    look.chronicle(StepsDone(1, 3, 1, 2000))
    look()
    look.chronicle(StepsDone(1, 3, 2000, 2000))
    look(10)
    look.chronicle(Phase.REPORTING)
    look.chronicle(EpochEnded(1, metrics))

    between, told = look()
    look.chronicle(StepsDone(2, 3, 999, 2000))
    later, _ = look(5)

    assert between.startswith("epoch 1/3 ━")
    assert between.endswith("2,000/2,000  200 steps/s  0:00:20 left")
    assert "loss 0.1235  accuracy 0.5  val_loss 2" == told.strip()
    assert later.startswith("epoch 2/3 ━")
    assert later.endswith("999/2,000  200 steps/s  0:00:15 left")


def test_both(look):
    """Training need not wait for the stream's end."""
    rest = (OffsetRange("data", 0, 0, 10_000),)
    look.chronicle(StreamOpened(rest, StreamCounts(10_000, 0, 0)))
    look.chronicle(Phase.TRAINING)
    look.chronicle(RecordsRead("data", 0, 0, 2499, 2500, 0, 1))
    look.chronicle(StepsDone(1, 3, 1, 2000))

    assert ["reading", "epoch"] == [line.split()[0] for line in look()]
    assert 2 == look.heights[-1]


@pytest.mark.parametrize(
    "name", ["a\nforged line", "\x1b[2Jclear", "\u202eright", "x" * 500]
)
def test_names(look, name):
    """Whatever a model calls its metrics, they have one line and no way out of it."""
    look.chronicle(Phase.TRAINING)
    look.chronicle(StepsDone(1, 3, 1, 2000))
    look.chronicle(EpochEnded(1, EpochMetrics({name: 1.0})))

    _, told = look()

    assert len(told) <= look.columns
    assert told.isprintable()


def test_end(look):
    """Nothing is left of it, and it can be told the end twice."""
    for event in (Phase.READING, JobEnded(0), JobEnded(0)):
        look.chronicle(event)
        look.display(event)

    assert 0 == look.heights[-1]
    look.display.above("still printed")
