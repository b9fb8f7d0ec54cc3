"""One model on its way along a stream, and what is kept of it for another process."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from attrs import define, evolve, field

from domain.allowance import Allowance
from domain.errors import Unavailable
from domain.events import (
    CheckpointKept,
    EpochEnded,
    Listener,
    MiniBatchTrained,
    ResultDelivered,
)
from domain.improvement import ImprovementRule, Judgement
from domain.phases import Phase
from domain.progress import (
    LabellingProgress,
    LiveProgress,
    LiveStreamProgress,
    TrainingProgress,
)
from domain.report import EpochMetrics, TrainingReport
from ports import Dataset, ResultSink, Run, TrainableModel

log = logging.getLogger(__name__)

_MODEL = "model"


@define(eq=False)
class LiveTraining:
    """
    A model that is fitted to mini-batch after mini-batch.

    Position and weights are one checkpoint: whatever becomes of the process, the next
    one goes on with the weights of a position and from that position.  So does a better
    model that was not accepted yet: a checkpoint is that model, and its report.

    Attributes:
        run: Where it is kept.

        model: As it came; `resume` makes it what it was.

        result_sink: Is told of epochs and of better models.

        rule: Which metric is watched, if one is.

        endless: Whether better models are handed in at once.

        every_time: Whether it is kept after every mini-batch, whatever that costs.

        chained: Whether reports have the epochs of all mini-batches, not of the last.

        on_event: Is told what happens.

        clock: Seconds from any fixed point.
    """

    run: Run
    model: TrainableModel
    result_sink: ResultSink
    rule: ImprovementRule | None
    endless: bool
    every_time: bool
    on_event: Listener
    clock: Callable[[], float]
    chained: bool = False
    _progress: TrainingProgress = field(factory=TrainingProgress, init=False)
    _live: LiveProgress | None = field(default=None, init=False)
    _kept: bool = field(default=True, init=False)
    _allowance: Allowance = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._allowance = Allowance(self.clock)

    def resume(self) -> LiveStreamProgress | None:
        """
        Go on where another process was, and deliver what that could not.

        Returns:
            How far the stream was trained on; None if there is nothing to go on from.
        """
        latest = self.run.checkpoint()
        if latest is None or latest.progress.live is None:
            return None
        kept = latest.folder / _MODEL
        if not self.model.resume(kept):
            log.warning("training starts over: the checkpoint is of other versions")
            return None
        self._progress, self._live = latest.progress, latest.progress.live
        log.info(
            "training goes on",
            extra={
                "mini_batches": self._live.mini_batches,
                "records": self._live.stream.counts.offsets,
                "offsets": dict(self._live.stream.position.offsets),
            },
        )
        if self._live.undelivered is not None:
            # A model that was not fitted yet may not have made all of its variables.
            _to_the_end(partial(self._deliver, partial(_copy, kept)))
        return self._live.stream

    @property
    def mini_batches(self) -> int:
        """How many it was trained on."""
        return self._live.mini_batches if self._live else 0

    @property
    def epochs(self) -> int:
        """How many epochs it was trained for."""
        return len(self._progress.history)

    @property
    def labelling(self) -> LabellingProgress:
        """What it has labelled itself."""
        return self._progress.labelling or LabellingProgress()

    def report(self, *, indefinite: bool = False) -> TrainingReport:
        """Return the metrics of the last mini-batch, and the time and counts of all."""
        history, live = self._progress.history, self._live
        labelling = self._progress.labelling
        return TrainingReport(
            history=history if self.chained or not live else history[-live.epochs :],
            test={},
            training_time=self._progress.seconds,
            stream=live.stream.counts if live else None,
            indefinite=indefinite,
            labelled=labelling.counts if labelling else (),
        )

    def begin(
        self,
        training: Dataset,
        validation: Dataset | None,
        stream: LiveStreamProgress,
        labelling: LabellingProgress,
    ) -> None:
        """
        Train on what is there before the stream, which is no mini-batch; see `fit`.

        Args:
            training: To fit the model on.

            validation: To watch it with.

            stream: Where the stream begins.

            labelling: What is known before the model has labelled anything.
        """
        self._fit(training, validation)
        self._live, self._kept = LiveProgress(stream), False
        self._progress = evolve(self._progress, labelling=labelling)
        if self.every_time or self._allowance.lasts():
            self._keep()

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        stream: LiveStreamProgress,
        labelling: LabellingProgress | None = None,
    ) -> None:
        """
        Train on a mini-batch, and hand the model in if it is better and wanted.

        Args:
            training: To fit the model on.

            validation: To watch it with.

            stream: How far the stream is behind them.

            labelling: What the model has labelled itself, up to there.

        Raises:
            TrainingFailed: The examples do not suit the model.

            Unavailable: The back-end stayed away.

            DeploymentInvalid: It refused the model, or no such metric is measured.
        """
        epochs = self._fit(training, validation)
        self._progress = evolve(self._progress, labelling=labelling)
        live = self._live or LiveProgress(stream)
        live = evolve(
            live,
            stream=stream,
            mini_batches=live.mini_batches + 1,
            epochs=len(epochs),
        )
        live, better = self._judged(live, epochs, len(training))
        self._live, self._kept = live, False
        if better and self.endless:
            self._live = evolve(live, undelivered=self.report(indefinite=True))
            _to_the_end(self._hand_in)
        elif self.every_time or self._allowance.lasts():
            self._keep()

    def _fit(self, training: Dataset, validation: Dataset | None) -> list[EpochMetrics]:
        """Train, and return the new epochs."""
        before, epochs = self._progress, list[EpochMetrics]()

        def on_epoch_end(metrics: EpochMetrics) -> None:
            self.on_event(Phase.REPORTING)
            epochs.append(metrics)
            self.on_event(EpochEnded(len(before.history) + len(epochs), metrics))
            self.result_sink.report_progress((*before.history, *epochs))

        self.on_event(Phase.TRAINING)
        began = self.clock()
        self.model.fit(training, validation, on_epoch_end, None, self.on_event)
        self._progress = evolve(
            before,
            history=(*before.history, *epochs),
            seconds=before.seconds + self.clock() - began,
        )
        return epochs

    def pass_over(self, stream: LiveStreamProgress) -> None:
        """Go on behind a mini-batch that leaves nothing to train on."""
        # Nothing to keep: the next process may have more to put into it.
        self._live = evolve(self._live or LiveProgress(stream), stream=stream)

    def keep(self) -> None:
        """Keep what is not kept yet; not while a mini-batch is trained on."""
        if not self._kept:
            self._keep()

    def _judged(
        self, live: LiveProgress, epochs: list[EpochMetrics], rows: int
    ) -> tuple[LiveProgress, bool]:
        """Return the new reference, and whether the model is better than before."""
        if self.rule and self.endless:
            self.rule.require(epochs)
        found = self.rule.judge(epochs, live.reference) if self.rule else Judgement()
        trained = MiniBatchTrained(
            live.mini_batches, rows, found.value, found.reference, found.better
        )
        self.on_event(trained)
        last = epochs[-1] if epochs else EpochMetrics({})
        log.info(
            "mini-batch trained",
            extra={
                "mini_batch": live.mini_batches,
                "rows": rows,
                "training": dict(last.training),
                "validation": dict(last.validation),
                **found.told,
            },
        )
        if found.value is not None and live.reference is None:
            live = evolve(live, reference=found.value)
        elif found.better and self.endless:
            improvements = live.improvements + 1
            live = evolve(live, reference=found.value, improvements=improvements)
        return live, found.better

    def _hand_in(self) -> None:
        """Make a better model safe, and deliver it."""
        self.on_event(Phase.KEEPING)
        self._keep()
        self._deliver(self._write)

    def _deliver(self, write: Callable[[Path], None]) -> None:
        """Deliver what is undelivered, and note it; *write* keeps the same model."""
        if self._live is None or self._live.undelivered is None:
            return
        self.on_event(Phase.SAVING)
        model = self.model.save()
        self.on_event(Phase.DELIVERING)
        self.result_sink.deliver(self._live.undelivered, model)
        self.on_event(ResultDelivered(self._live.undelivered, model))
        _remove(model)  # there may be any number of them
        self.on_event(Phase.FINISHING)
        self._live = evolve(self._live, undelivered=None)
        self._keep(write)
        extra = {"improvements": self._live.improvements}
        log.info("better model delivered", extra=extra)

    def _keep(self, write: Callable[[Path], None] | None = None) -> None:
        if self.run.folder is None:  # nothing lasts longer than this process
            return
        progress = evolve(self._progress, live=self._live)
        extra = {"mini_batches": self.mini_batches}
        try:
            with self._allowance.spent():
                self.run.save_checkpoint(write or self._write, progress)
        except Unavailable as reason:
            log.warning("checkpoint not kept", extra={**extra, "reason": str(reason)})
        else:
            self._kept = True
            log.debug("checkpoint kept", extra=extra)
            self.on_event(CheckpointKept(self.epochs, self._allowance.cost))

    def _write(self, folder: Path) -> None:
        (folder / _MODEL).mkdir()
        self.model.keep(folder / _MODEL)


def _copy(kept: Path, folder: Path) -> None:
    shutil.copytree(kept, folder / _MODEL)


def _remove(model: Path) -> None:
    if model.is_dir():  # of a chain
        shutil.rmtree(model)
    else:
        model.unlink()


def _to_the_end(work: Callable[[], None]) -> None:
    """Do *work*, to its end even if the process is told to stop meanwhile."""
    with ThreadPoolExecutor(1, "to-the-end") as thread:
        # A thread that is still starting would not be waited for: it is to run before
        # there is any work for it.
        thread.submit(lambda: None).result()
        thread.submit(work).result()  # leaving waits for it, signal or not
