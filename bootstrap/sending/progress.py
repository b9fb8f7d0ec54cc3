"""How far a sending has got, for people."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from attrs import define, field
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from domain.sending import Delivered

PAUSE = 5.0
"""Seconds between two lines, where nobody looks at a terminal."""


@define
class Tally:
    """
    What has been delivered, of all topics.

    Attributes:
        show: Is told of every change.
    """

    show: Callable[[Delivered], None]
    _topics: dict[str, Delivered] = field(factory=dict, init=False)

    def __call__(self, delivered: Delivered) -> None:
        """Take what the sender says."""
        self._topics[delivered.topic] = delivered
        self.show(delivered)

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(each.records for each in self._topics.values())

    @property
    def size(self) -> int:
        """Bytes of them, keys and values."""
        return sum(each.size for each in self._topics.values())


@contextmanager
def progress(totals: Mapping[str, int | None]) -> Iterator[Tally]:
    """
    Show on standard error how it goes: a bar on a terminal, else a line now and then.

    Args:
        totals: By topic, how many records there will be; None if nobody knows.
    """
    if not sys.stderr.isatty():
        yield Tally(_Lines(totals, time.monotonic()))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rate, rest = TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
    with Progress(*columns, rate, rest, console=Console(stderr=True)) as bars:
        yield Tally(_Bars(bars, totals))


@define
class _Lines:
    """A line every few seconds."""

    totals: Mapping[str, int | None]
    _last: float

    def __call__(self, delivered: Delivered) -> None:
        if time.monotonic() - self._last < PAUSE:
            return
        self._last = time.monotonic()
        total = self.totals.get(delivered.topic)
        whole = "" if total is None else f" of {total}"
        line = f"{delivered.topic}: {delivered.records}{whole} records delivered\n"
        sys.stderr.write(line)


@define
class _Bars:
    """A bar for each topic."""

    bars: Progress
    totals: Mapping[str, int | None]
    _tasks: dict[str, tuple[TaskID, float]] = field(factory=dict, init=False)

    def __call__(self, delivered: Delivered) -> None:
        topic, now = delivered.topic, time.monotonic()
        if topic not in self._tasks:
            total = self.totals.get(topic)
            task = self.bars.add_task(topic, total=total, rate="")
            self._tasks[topic] = task, now
        task, begun = self._tasks[topic]
        rate = f"{delivered.size / 1e6 / max(now - begun, 0.1):.1f} MB/s"
        self.bars.update(task, completed=delivered.records, rate=rate)
