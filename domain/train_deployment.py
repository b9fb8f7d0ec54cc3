"""
The job: wait for the deployment's data, train its model, hand in the result.

This is the whole service; everything else is how.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from attrs import field, frozen

from domain.bad_records import BadRecordPolicy
from domain.events import Listener, ignore
from domain.identity import identity
from domain.intake import Intake, Part, StreamShorter
from domain.keeping import Keeping, epoch_listener
from domain.phases import Phase
from domain.reading import Reading
from domain.remarks import log_stream, tell_of_parts
from domain.report import TrainingReport
from domain.request import DeploymentId, TrainingRequest
from domain.selection import selections
from domain.serving import begin_run, hand_in_once, serve_first
from domain.split import Split, SplitRule
from ports import (
    ControlSource,
    Dataset,
    DecoderFactory,
    Journal,
    ModelRepository,
    RejectedRecords,
    ResultSink,
    Run,
    Sampler,
    SpoolFactory,
    StreamSource,
    Trainer,
)

log = logging.getLogger(__name__)


@frozen
class TrainDeployment:
    """
    Train one deployment's model on the first data stream announced for it.

    Attributes:
        split: How the stream is shared out, which depends on the platform's dialect.

        journal: Where everything is kept that another process needs to go on, and where
            it is noted that a result was delivered.

        fingerprint: Tells settings apart on which the result depends.

        bad_records: How many records may be bad.

        rejected_records: Where bad records are kept, if the policy diverts them.

        sampler: Which examples the parts get, if not those that follow each other.

        wants_confusion_matrix: Whether the platform asked for one.

        checkpoint_seconds: After how long a training is kept within an epoch; 0 for
            every opportunity.

        on_event: Is told what happens.

        clock: Seconds from any fixed point, for the training time.
    """

    deployment_id: DeploymentId
    control_source: ControlSource
    stream_source: StreamSource
    decoder_for: DecoderFactory
    spool_for: SpoolFactory
    split: SplitRule
    model_repository: ModelRepository
    trainer: Trainer
    result_sink: ResultSink
    journal: Journal
    fingerprint: str = ""
    bad_records: BadRecordPolicy = field(factory=BadRecordPolicy)
    rejected_records: RejectedRecords | None = None
    sampler: Sampler | None = None
    wants_confusion_matrix: bool = False
    checkpoint_seconds: float = 60.0
    on_event: Listener = ignore
    clock: Callable[[], float] = time.perf_counter

    def run(self) -> TrainingReport:
        """
        Work through the control topic until one request has been trained.

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
            lambda message: self.serve(untrained, outline, message.open()),
            self.on_event,
        )

    def serve(
        self, untrained: Path, outline: str, request: TrainingRequest
    ) -> TrainingReport:
        """
        Hand in the result of *request*, once.

        Args:
            untrained: The deployment's model.

            outline: What the trainer calls it.

            request: What to train on.

        Returns:
            The report, already accepted by the result sink.

        Raises:
            RequestRejected: There is no training on that; the next request may be.

            Unavailable: A broker or back-end stayed away.
        """
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
            lambda: self._train(run.keep_model(untrained), request, run),
            self.result_sink,
            self.on_event,
        )

    def _train(
        self, untrained: Path, request: TrainingRequest, run: Run
    ) -> tuple[TrainingReport, Path]:
        """Train on the stream that *request* names."""
        decoder = self.decoder_for(request.decoder)
        self.trainer.prepare()  # frameworks take seconds: let them, beside the reading
        self.on_event(Phase.READING)
        reading = Reading(
            self.stream_source,
            self.spool_for,
            self.bad_records,
            self.rejected_records,
            self.on_event,
        )
        folder = run.folder / "spool" if run.folder else None
        with reading.begin(request, decoder, folder) as stream:
            try:
                # Most streams hold a record per offset: training need not wait for the
                # end to know where its part ends.
                whole = request.total_msg is None or self.sampler is not None
                expected = stream.finish() if whole else stream.offsets
                report, model = self._fit(untrained, request, run, stream, expected)
            except StreamShorter:
                found = stream.finish()
                log.info(
                    "fewer records than offsets: training starts over",
                    extra={"offsets": stream.offsets, "records": found},
                )
                report, model = self._fit(untrained, request, run, stream, found)
            log_stream(stream, request, self.on_event)
        return report, model

    def _fit(
        self,
        untrained: Path,
        request: TrainingRequest,
        run: Run,
        stream: Intake,
        expected: int,
    ) -> tuple[TrainingReport, Path]:
        """
        Train on *stream*, which is thought to hold as many examples as *expected*.

        Raises:
            StreamShorter: It holds fewer.
        """
        split = self.split(request, expected)
        tell_of_parts(request, split, expected, self.on_event)
        training, validation, test = self._parts(stream, split)
        self.on_event(Phase.LOADING)
        model = self.trainer.load(untrained)
        keeping = Keeping(
            run, expected, self.checkpoint_seconds, self.clock, self.on_event
        )
        on_epoch_end = epoch_listener(keeping, self.result_sink, self.on_event)

        self.on_event(Phase.TRAINING)
        checkpoints = keeping if run.folder else None
        model.fit(training, validation, on_epoch_end, checkpoints, self.on_event)
        training_time = keeping.seconds
        stream.finish()  # a stream that breaks off behind its parts is broken, too

        self.on_event(Phase.EVALUATING)
        report = TrainingReport(
            history=keeping.history,
            test=model.evaluate(test) if test else {},
            training_time=training_time,
            confusion_matrix=(
                model.confusion_matrix(test)
                if test and self.wants_confusion_matrix
                else None
            ),
            stream=stream.counts,
        )
        self.on_event(Phase.SAVING)
        return report, model.save()

    def _parts(
        self, stream: Intake, split: Split
    ) -> tuple[Dataset, Dataset | None, Dataset | None]:
        """Return training part, validation part and test part; None for no part."""
        if self.sampler is not None:
            return selections(self.sampler, split, stream.spool)
        part = partial(Part, stream, whole=split.used)
        return (
            part(split.training),
            part(split.validation) if split.validation else None,
            part(split.test) if split.test else None,
        )
