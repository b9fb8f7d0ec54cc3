"""One training on its way, and what is kept of it for another process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from domain.errors import Unavailable
from domain.progress import TrainingProgress
from domain.report import EpochMetrics, History
from ports import Checkpoint, Checkpoints, Run

log = logging.getLogger(__name__)

_SHARE = 0.02
"""Of the time, at most, goes into checkpoints."""

_FIRST_COST = 0.05
"""Seconds that a checkpoint is thought to take before there was one."""


@define(eq=False)
class Keeping(Checkpoints):
    """
    The epochs of a training, from the first one on, whoever trained them.

    Attributes:
        run: Where they are kept.

        examples: Number of examples that the parts were cut from; a checkpoint of other
            parts is none of ours.

        every: Seconds after which a checkpoint is due within an epoch; 0 for every
            opportunity, whatever it costs.

        clock: Seconds from any fixed point.
    """

    run: Run
    examples: int
    every: float
    clock: Callable[[], float]
    _latest: Checkpoint | None = field(init=False)
    _history: list[EpochMetrics] = field(init=False)
    _before: float = field(init=False)
    _started: float = field(init=False)
    _saved: float = field(init=False)
    _cost: float = field(init=False, default=_FIRST_COST)

    def __attrs_post_init__(self) -> None:
        latest = self.run.checkpoint()
        if latest is not None and latest.progress.examples != self.examples:
            log.info("checkpoint of other parts of the stream: not used")
            latest = None
        progress = latest.progress if latest else TrainingProgress()
        self._latest = latest
        self._history = list(progress.history)
        self._before = progress.seconds
        self._started = self._saved = self.clock()

    @property
    def latest(self) -> Checkpoint | None:
        """What to go on from; see Checkpoints."""
        return self._latest

    @property
    def history(self) -> History:
        """The epochs so far."""
        return tuple(self._history)

    @property
    def seconds(self) -> float:
        """How long training took so far, in this process and in those before."""
        return self._before + self.clock() - self._started

    def add(self, metrics: EpochMetrics) -> None:
        """Add an epoch."""
        self._history.append(metrics)

    def due(self, *, epoch_ended: bool) -> bool:
        """Whether it is time to save; see Checkpoints."""
        if not self.every:
            return True
        since = self.clock() - self._saved
        return since >= self._cost / _SHARE and (epoch_ended or since >= self.every)

    def save(self, write: Callable[[Path], None], steps: int) -> None:
        """Keep the training as it is now; see Checkpoints."""
        began = self.clock()
        progress = TrainingProgress(self.history, steps, self.examples, self.seconds)
        extra = {"epochs": len(self._history), "steps": steps}
        try:
            self.run.save_checkpoint(write, progress)
        except Unavailable as reason:
            log.warning("checkpoint not kept", extra={**extra, "reason": str(reason)})
        else:
            log.debug("checkpoint kept", extra=extra)
        self._saved = self.clock()
        self._cost = self._saved - began

    def start_over(self) -> None:
        """Forget what was kept; see Checkpoints."""
        self._latest = None
        self._history.clear()
        self._before = 0.0
