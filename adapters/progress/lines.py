"""How far the job is, as log records now and then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from attrs import define, field

from adapters.progress.rates import Pace, fit, reading, significant
from domain.events import (
    EpochEnded,
    Event,
    RecordsRead,
    StepsDone,
    StreamOpened,
    TopicFollowed,
)
from domain.phases import Phase
from domain.report import EpochMetrics
from domain.story import Story

log = logging.getLogger(__name__)

PAUSE = 5.0
"""Seconds between two records, at least."""

LONG_PAUSE = 60.0
"""The same on a stream without an end, of which there are no percents."""

SHARE = 10
"""Percent between two records, at least."""


@define
class _Due:
    """
    When the next record of its kind is due.

    Attributes:
        last: When the last one was, or the beginning.

        percent: How far it was.
    """

    last: float
    percent: int = 0

    def at(self, now: float, percent: int | None) -> bool:
        """Whether it is due; if so, it is the last one from now on."""
        if percent is None:
            due = now - self.last >= LONG_PAUSE
        else:
            due = now - self.last >= PAUSE and percent - self.percent >= SHARE
        if due:
            self.last = now
            self.percent = percent or 0
        return due


@define(eq=False)
class ProgressLines:
    """
    A listener that logs how far a stream and an epoch are.

    After ten percent more, though not before five seconds: what is quick logs nothing.

    Attributes:
        story: Tells what has happened; it listens before this one.

        clock: Seconds from any fixed point.
    """

    story: Callable[[], Story]
    clock: Callable[[], float] = time.monotonic
    _reading: _Due = field(init=False)
    _epoch: _Due = field(init=False)
    _records: Pace = field(factory=Pace, init=False)
    _steps: Pace = field(factory=Pace, init=False)
    _looked: float = field(init=False)
    _number: int = field(default=0, init=False)
    _metrics: EpochMetrics | None = field(default=None, init=False)
    _telling: threading.Lock = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        now = self.clock()
        self._looked, self._reading, self._epoch = now, _Due(now), _Due(now)

    def __call__(self, event: Event) -> None:
        """Log what is due."""
        with self._telling:
            match event:
                case StreamOpened() | TopicFollowed():
                    self._open()
                case RecordsRead():
                    self._read()
                case StepsDone():
                    self._train(event)
                case EpochEnded():
                    self._metrics = event.metrics
                    self._begin_epoch(self._number + 1)
                case Phase.LOADING | Phase.TRAINING:
                    self._metrics = None
                    self._begin_epoch(1)

    def _open(self) -> None:
        now, story = self.clock(), self.story()
        extent = reading(story)
        self._reading = _Due(now, (extent and extent.percent) or 0)
        self._records.note(now, story.counts.offsets)

    def _read(self) -> None:
        now = self.clock()
        if now - self._looked < 1:
            return  # they may come so fast that a look at each would hold them up
        self._looked = now
        story = self.story()
        extent = reading(story)
        if extent is None or not self._reading.at(now, extent.percent):
            return
        self._records.note(now, extent.done)
        examples, rejected = story.counts.examples, story.counts.rejected
        left = extent.rest and self._records.seconds_for(extent.rest)
        log.info(
            "stream is being read",
            extra={
                "percent": extent.percent,
                "records": examples + rejected,
                "records_per_second": _told(self._records.per_second),
                "eta_seconds": _told(left),
            },
        )

    def _begin_epoch(self, number: int) -> None:
        self._number = number
        self._epoch = _Due(self.clock())

    def _train(self, step: StepsDone) -> None:
        now = self.clock()
        extent = fit(step)
        self._steps.note(now, extent.done)
        if step.epoch != self._number:
            self._begin_epoch(step.epoch)
        percent = 100 * step.step // step.steps if step.steps else None
        if step.step == step.steps or not self._epoch.at(now, percent):
            return  # the end of an epoch has a record of its own
        metrics = self._metrics or EpochMetrics({})
        log.info(
            "epoch is being trained",
            extra={
                "percent": percent,
                "epoch": step.epoch,
                "epochs": step.epochs,
                "step": step.step,
                "steps": step.steps,
                "steps_per_second": _told(self._steps.per_second),
                "eta_seconds": _told(self._steps.seconds_for(extent.rest or 0)),
                "training": dict(metrics.training),
                "validation": dict(metrics.validation),
            },
        )


def _told(number: float | None) -> float | None:
    """Return *number* with as many digits as it is exact to."""
    return None if number is None else significant(number, 3)
