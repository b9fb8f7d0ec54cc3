"""One training on its way, and what is kept of it for another process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from domain.allowance import Allowance
from domain.errors import Unavailable
from domain.events import CheckpointKept, EpochEnded, Listener, ignore
from domain.phases import Phase
from domain.progress import LabellingProgress, TrainingProgress
from domain.report import EpochMetrics, History
from ports import Checkpoint, Checkpoints, EpochListener, ResultSink, Run

log = logging.getLogger(__name__)


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

        on_event: Is told of checkpoints.
    """

    run: Run
    examples: int
    every: float
    clock: Callable[[], float]
    on_event: Listener = ignore
    _latest: Checkpoint | None = field(init=False)
    _history: list[EpochMetrics] = field(init=False)
    _before: float = field(init=False)
    _started: float = field(init=False)
    _allowance: Allowance = field(init=False)

    def __attrs_post_init__(self) -> None:
        latest = self.run.checkpoint()
        if latest is not None and latest.progress.examples != self.examples:
            log.info("checkpoint of other parts of the stream: not used")
            latest = None
        progress = latest.progress if latest else TrainingProgress()
        self._latest = latest
        self._history = list(progress.history)
        self._before = progress.seconds
        self._allowance = Allowance(self.clock)
        self._started = self.clock()

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
        return self._allowance.lasts(0.0 if epoch_ended else self.every)

    def save(
        self,
        write: Callable[[Path], None],
        steps: int,
        labelling: LabellingProgress | None = None,
    ) -> None:
        """Keep the training as it is now; see Checkpoints."""
        progress = TrainingProgress(
            self.history, steps, self.examples, self.seconds, labelling=labelling
        )
        extra = {"epochs": len(self._history), "steps": steps}
        try:
            with self._allowance.spent():
                self.run.save_checkpoint(write, progress)
        except Unavailable as reason:
            log.warning("checkpoint not kept", extra={**extra, "reason": str(reason)})
        else:
            log.debug("checkpoint kept", extra=extra)
            kept = CheckpointKept(len(self._history), self._allowance.cost)
            self.on_event(kept)

    def start_over(self) -> None:
        """Forget what was kept; see Checkpoints."""
        self._latest = None
        self._history.clear()
        self._before = 0.0


def epoch_listener(
    keeping: Keeping, sink: ResultSink, on_event: Listener
) -> EpochListener:
    """Return what adds every epoch to *keeping*, logs it and tells *sink* of it."""

    def on_epoch_end(metrics: EpochMetrics) -> None:
        on_event(Phase.REPORTING)
        keeping.add(metrics)
        on_event(EpochEnded(len(keeping.history), metrics))
        log.info(
            "epoch ended",
            extra={
                "epoch": len(keeping.history),
                "training": dict(metrics.training),
                "validation": dict(metrics.validation),
            },
        )
        sink.report_progress(keeping.history)

    return on_epoch_end
