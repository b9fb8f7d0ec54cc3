"""A memory of what happens in a job, for everybody who shows it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from attrs import define, evolve, field

from domain.events import (
    EpochEnded,
    Event,
    JobEnded,
    RecordsRead,
    RequestSkipped,
)
from domain.phases import Phase
from domain.story import MOST, Epoch, PartitionRead, Stage, Story, after


@define(eq=False)
class Chronicle:
    """
    A listener that remembers; it may be asked from any thread.

    A message that is skipped takes what was told of its training with it.  Of an
    endless job the latest stages, epochs and mini-batches are known, not all.

    Attributes:
        clock: Seconds since 1970.
    """

    clock: Callable[[], float] = time.time
    _story: Story = field(init=False)
    _stages: deque[Stage] = field(factory=partial(deque, maxlen=MOST), init=False)
    _partitions: dict[tuple[str, int], PartitionRead] = field(factory=dict, init=False)
    _epochs: deque[Epoch] = field(factory=partial(deque, maxlen=MOST), init=False)
    _telling: threading.Lock = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        now = self.clock()
        self._story = Story(now, now)

    def __call__(self, event: Event) -> None:
        """Remember *event*."""
        with self._telling:
            self._remember(event)

    def story(self) -> Story:
        """Return what has happened so far."""
        with self._telling:
            now = self._story.told if self._story.ended else self.clock()
            stages = tuple(self._stages)
            if stages and not self._story.ended:
                seconds = now - stages[-1].begun
                stages = (*stages[:-1], evolve(stages[-1], seconds=seconds))
            return evolve(
                self._story,
                told=now,
                stages=stages,
                partitions=tuple(self._partitions.values()),
                epochs=tuple(self._epochs),
            )

    def _remember(self, event: Event) -> None:
        match event:
            case Phase.REPORTING:
                pass  # nobody waits for it: it is a moment of the training, no stage
            case Phase():
                self._enter(event)
            case RecordsRead():
                self._count(event)
            case EpochEnded():
                self._epochs.append(Epoch(self.clock(), event.metrics))
                self._story = evolve(self._story, step=None)
            case RequestSkipped():
                self._forget(event)
            case JobEnded():
                self._leave()
                self._story = evolve(self._story, told=self.clock(), ended=event)
            case _:
                self._story = after(event, self._story)

    def _enter(self, phase: Phase) -> None:
        self._leave()
        self._stages.append(Stage(phase, self.clock()))

    def _leave(self) -> None:
        if self._stages:
            last = self._stages[-1]
            seconds = self.clock() - last.begun
            self._stages[-1] = evolve(last, seconds=seconds)

    def _count(self, event: RecordsRead) -> None:
        key = event.topic, event.partition
        known = self._partitions.get(key)
        if known is None:
            known = PartitionRead(*key, first=event.first, next=event.first)
        self._partitions[key] = known.and_then(event)

    def _forget(self, event: RequestSkipped) -> None:
        """Begin anew, with nothing but the stages and the model."""
        old = self._story
        self._story = Story(
            old.begun, old.told, skipped=(*old.skipped, event), model=old.model
        )
        self._partitions.clear()
        self._epochs.clear()
