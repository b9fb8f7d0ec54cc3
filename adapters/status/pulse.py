"""Whether a job lives, and how fast it trains: what only a listener can tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from attrs import define, field

from domain.events import EpochEnded, Event, StepsDone
from domain.phases import Phase
from domain.story import Story

WORKING = {Phase.READING, Phase.LOADING, Phase.TRAINING}
"""Phases in which something is told again and again."""

SERVING = {phase for phase in Phase if phase not in {Phase.FETCHING, Phase.DONE}}
"""Phases in which the job has its model and looks after the control topic."""


@define(eq=False)
class Pulse:
    """
    A listener that notes when something was told last; it may be asked by any thread.

    Attributes:
        clock: Seconds from any fixed point.
    """

    clock: Callable[[], float] = time.monotonic
    _beat: float = field(init=False)
    _step: int | None = field(default=None, init=False)
    _stepped: float = field(default=0.0, init=False)
    _step_seconds: float | None = field(default=None, init=False)
    _noting: threading.Lock = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._beat = self.clock()

    def __call__(self, event: Event) -> None:
        """Note that something was told."""
        with self._noting:
            self._beat = self.clock()
            match event:
                case StepsDone(step=step):
                    self._note(step)
                case EpochEnded():
                    self._step, self._stepped = 0, self._beat
                case Phase():  # whatever comes before the next step is none
                    self._step = None

    @property
    def silence(self) -> float:
        """How many seconds ago something was told."""
        with self._noting:
            return self.clock() - self._beat

    @property
    def step_seconds(self) -> float | None:
        """How long a training step took lately; None as long as nobody knows."""
        with self._noting:
            return self._step_seconds

    def _note(self, step: int) -> None:
        if self._step is not None and self._step < step:
            self._step_seconds = (self._beat - self._stepped) / (step - self._step)
        self._step, self._stepped = step, self._beat


def lives(story: Story, silence: float, patience: float) -> bool:
    """
    Whether the job can be thought to go on.

    It is dead if it reads or trains, and nothing was told for longer than *patience*.
    Everything else that it waits for has a deadline of its own (brokers, back-end), or
    may take for ever: a control message, and records of a topic that is followed.
    """
    if story.phase not in WORKING or story.topics:
        return True
    return silence <= patience


def serves(story: Story) -> bool:
    """Whether the job has its model and looks after the control topic."""
    return story.ended is None and story.phase in SERVING
