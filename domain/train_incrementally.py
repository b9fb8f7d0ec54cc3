"""
The job on a stream that is still being written: train as it comes.

From the announcement on, the same model is fitted to mini-batch after mini-batch, until
nothing comes any more, or for ever; then every better model is handed in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from attrs import field, frozen

from domain.bad_records import BadRecordPolicy
from domain.errors import StreamUnreadable
from domain.events import Listener, ignore
from domain.following import Following, labelled_topic
from domain.identity import identity
from domain.improvement import ImprovementRule
from domain.live_training import LiveTraining
from domain.mini_batches import MiniBatch, Pace
from domain.phases import Phase
from domain.progress import LiveStreamProgress
from domain.report import TrainingReport
from domain.request import ControlMessage, DeploymentId, TrainingRequest
from domain.selection import Rows, selections
from domain.serving import begin_run, hand_in_once, serve_first
from domain.split import Split, split_mini_batch
from ports import (
    ControlSource,
    Dataset,
    DecoderFactory,
    Journal,
    LiveStream,
    ModelRepository,
    RejectedRecords,
    ResultSink,
    Run,
    Sampler,
    SpoolFactory,
    Trainer,
)

log = logging.getLogger(__name__)


@frozen
class TrainIncrementally:
    """
    Train one deployment's model on the first stream announced for it, while it comes.

    Attributes:
        pace: When a mini-batch is complete, and when the stream has ended.

        rule: When a model is better; needed if the stream never ends.

        journal: Where everything is kept that another process needs to go on, and where
            it is noted that a result was delivered.

        fingerprint: Tells settings apart on which the result depends.

        bad_records: How many records may be bad.

        rejected_records: Where bad records are kept, if the policy diverts them.

        sampler: Which examples of a mini-batch its parts get, if not those that follow
            each other.

        checkpoint_seconds: 0 for a checkpoint after every mini-batch, whatever it
            costs.

        on_event: Is told what happens.

        clock: Seconds from any fixed point.
    """

    deployment_id: DeploymentId
    control_source: ControlSource
    live_stream: LiveStream
    decoder_for: DecoderFactory
    spool_for: SpoolFactory
    model_repository: ModelRepository
    trainer: Trainer
    result_sink: ResultSink
    journal: Journal
    pace: Pace
    rule: ImprovementRule | None = None
    fingerprint: str = ""
    bad_records: BadRecordPolicy = field(factory=BadRecordPolicy)
    rejected_records: RejectedRecords | None = None
    sampler: Sampler | None = None
    checkpoint_seconds: float = 60.0
    on_event: Listener = ignore
    clock: Callable[[], float] = time.perf_counter

    def run(self) -> TrainingReport:
        """
        Work through the control topic until one stream has been trained on to its end.

        Returns:
            The report, already accepted by the result sink.

        Raises:
            Unavailable: A broker or back-end stayed away.

            DeploymentInvalid: Nothing that may come on the control topic can help.
        """
        self.on_event(Phase.FETCHING)
        untrained = self.model_repository.fetch()
        # A broken model fails now, not after the wait.
        outline = self.trainer.inspect(untrained)
        self.on_event(Phase.WAITING)
        return serve_first(
            self.control_source,
            self.deployment_id,
            lambda message: self.serve(untrained, outline, message),
            self.on_event,
        )

    def serve(
        self, untrained: Path, outline: str, message: ControlMessage
    ) -> TrainingReport:
        """
        Hand in the result that *message* asks for, once.

        Args:
            untrained: The deployment's model.

            outline: What the trainer calls it.

            message: Which stream to train on.

        Returns:
            The report, already accepted by the result sink.

        Raises:
            RequestRejected: There is no training on that; the next message may be.

            Unavailable: A broker or back-end stayed away.
        """
        request = message.open()
        topic = labelled_topic(request, self.pace)
        run = begin_run(
            self.journal,
            identity(
                self.deployment_id,
                request,
                outline,
                untrained if self.model_repository.repeats else None,
                self.fingerprint,
            ),
            request,
            self.on_event,
        )
        return hand_in_once(
            run,
            lambda: self._train(
                run.keep_model(untrained), request, run, topic, message.timestamp
            ),
            self.result_sink,
            self.on_event,
        )

    def _train(
        self,
        untrained: Path,
        request: TrainingRequest,
        run: Run,
        topic: str,
        announced: int,
    ) -> tuple[TrainingReport, Path]:
        """Train on *topic* from the first record that belongs to the announcement."""
        decoder = self.decoder_for(request.decoder)
        self.trainer.prepare()  # frameworks take seconds
        self.on_event(Phase.LOADING)
        model = self.trainer.load(untrained)
        training = LiveTraining(
            run=run,
            model=model,
            result_sink=self.result_sink,
            rule=self.rule,
            endless=self.pace.timeout is None,
            every_time=not self.checkpoint_seconds,
            on_event=self.on_event,
            clock=self.clock,
        )
        progress = training.resume() or LiveStreamProgress(
            self.live_stream.begin(topic, announced)
        )
        following = Following(
            live_stream=self.live_stream,
            pace=self.pace,
            decoder=decoder,
            spool_for=self.spool_for,
            bad_records=self.bad_records,
            rejected_records=self.rejected_records,
            on_event=self.on_event,
            clock=self.clock,
        )
        counts = following.run(
            progress, training, partial(self._learn, training, request)
        )
        if not training.mini_batches:
            raise StreamUnreadable(
                f"{topic}: nothing to train on came in {self.pace.timeout:g} seconds, "
                f"only {counts.offsets} records of which {counts.rejected} were bad"
                if counts.offsets
                else f"{topic}: no record came in {self.pace.timeout:g} seconds"
            )
        self.on_event(Phase.SAVING)
        return training.report(), model.save()

    def _learn(
        self, training: LiveTraining, request: TrainingRequest, mini_batch: MiniBatch
    ) -> bool:
        """Train on a mini-batch; there is always more to learn."""
        rows = len(mini_batch.spool)
        split = split_mini_batch(request, rows)
        if split is None:
            log.warning(
                "mini-batch leaves nothing to train on",
                extra={"rows": rows, "validation_rate": request.validation_rate},
            )
            training.pass_over(mini_batch.progress)
        else:
            training.fit(*self._parts(mini_batch, split), mini_batch.progress)
        return True

    def _parts(
        self, mini_batch: MiniBatch, split: Split
    ) -> tuple[Dataset, Dataset | None]:
        """Return training part and validation part; None for no part."""
        spool = mini_batch.spool
        if self.sampler is not None:
            training, validation, _ = selections(self.sampler, split, spool)
            return training, validation
        held_out = Rows(spool, split.validation) if split.validation else None
        return Rows(spool, split.training), held_out
