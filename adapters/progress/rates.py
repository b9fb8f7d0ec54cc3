"""How fast something goes, and how long the rest takes."""

from __future__ import annotations

import math
from collections import deque

from attrs import define, field, frozen

from domain.events import StepsDone
from domain.story import Story

_SAMPLES = 20
"""Of a window; more would tell nothing new."""


@define
class Pace:
    """
    How fast something goes, over the last while.

    Attributes:
        window: Seconds that count.
    """

    window: float = 30.0
    _samples: deque[tuple[float, int]] = field(factory=deque, init=False)

    def note(self, seconds: float, done: int) -> None:
        """
        Take how much was *done* at a moment; less than before is a new beginning.

        Args:
            seconds: Since any fixed point.

            done: Counted from any beginning.
        """
        samples = self._samples
        if samples and done < samples[-1][1]:
            samples.clear()
        if len(samples) > 1 and seconds - samples[-2][0] < self.window / _SAMPLES:
            samples.pop()  # the last one is always the present
        samples.append((seconds, done))
        while len(samples) > 2 and seconds - samples[1][0] >= self.window:
            samples.popleft()

    @property
    def per_second(self) -> float | None:
        """How much is done in a second; None as long as nobody can know."""
        if len(self._samples) < 2:
            return None
        (since, before), (now, done) = self._samples[0], self._samples[-1]
        return (done - before) / (now - since) if now > since else None

    def seconds_for(self, rest: int) -> float | None:
        """Return how long *rest* takes at this pace; None if it stands still."""
        rate = self.per_second
        return rest / rate if rate else None


@frozen
class Extent:
    """
    How far something is.

    Attributes:
        done: What is done.

        total: What there is to do; None if nobody knows.
    """

    done: int
    total: int | None

    @property
    def percent(self) -> int | None:
        """The same in whole percent, rounded down; None if nobody knows."""
        return 100 * self.done // self.total if self.total else None

    @property
    def rest(self) -> int | None:
        """What is still to do; None if nobody knows."""
        return None if self.total is None else max(self.total - self.done, 0)


def reading(story: Story) -> Extent | None:
    """Return how many offsets were passed; None if no stream is being read."""
    if story.topics:
        return Extent(story.counts.offsets, None)
    if sum(one.counts.offsets for one in story.streams) >= story.expected:
        return None  # some end before their last offset: it holds no record
    done = story.counts.offsets
    return Extent(done, story.expected) if done < story.expected else None


def fit(step: StepsDone) -> Extent:
    """Return how many steps of all epochs of a fit are done."""
    done = (step.epoch - 1) * step.steps + step.step
    return Extent(done, step.epochs * step.steps)


def significant(number: float, digits: int = 4) -> float:
    """Return *number* with so many significant *digits*."""
    if not number or not math.isfinite(number):
        return number
    return round(number, digits - 1 - math.floor(math.log10(abs(number))))
