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

from attrs import asdict, field, frozen

from domain.bad_records import BadRecordPolicy
from domain.errors import RequestRejected, Unavailable
from domain.identity import identity
from domain.intake import Intake, Part, StreamShorter
from domain.report import EpochMetrics, TrainingReport
from domain.request import DeploymentId, TrainingRequest
from domain.selection import selections
from domain.split import Split, SplitRule
from ports import (
    ControlSource,
    Dataset,
    DecoderFactory,
    Journal,
    ModelRepository,
    RejectedRecords,
    ResultSink,
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

        journal: Where a trained model is safe until it is delivered, and where it is
            noted that it was.

        fingerprint: Tells settings apart on which the result depends.

        bad_records: How many records may be bad.

        rejected_records: Where bad records are kept, if the policy diverts them.

        sampler: Which examples the parts get, if not those that follow each other.

        wants_confusion_matrix: Whether the platform asked for one.

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
        untrained = self.model_repository.fetch()
        self.trainer.inspect(untrained)  # a broken model fails now, not after the wait
        log.info("waiting for a control message")
        for message in self.control_source.messages():
            if message.deployment_id != self.deployment_id:
                continue
            log.info("control message received", extra={"position": message.position})
            try:
                return self._serve(untrained, message.open())
            except RequestRejected as reason:
                log.warning(
                    "control message skipped",
                    extra={"position": message.position, "reason": str(reason)},
                )
        raise Unavailable("the control topic ended")

    def _serve(self, untrained: Path, request: TrainingRequest) -> TrainingReport:
        """Deliver the result of *request* once, whatever was done about it before."""
        run = self.journal.run(
            identity(self.deployment_id, request, untrained, self.fingerprint)
        )
        if run.delivered is not None:
            log.info("result was delivered before")
            return run.delivered
        result = run.outbox()
        if result is None:
            result = run.put_into_outbox(*self._train(untrained, request))
            log.info("result is safe")
        else:
            log.info("trained before: the result is delivered now")
        report, model = result
        self.result_sink.deliver(report, model)
        run.finish(report)
        log.info("result delivered", extra={"training_time": report.training_time})
        return report

    def _train(
        self, untrained: Path, request: TrainingRequest
    ) -> tuple[TrainingReport, Path]:
        """Train on the stream that *request* names."""
        decoder = self.decoder_for(request.decoder)
        self.trainer.prepare()  # frameworks take seconds: let them, beside the reading
        ranges = self.stream_source.resolve(request.ranges)
        offsets = sum(map(len, ranges))
        announced = request.total_msg
        with Intake(
            read=partial(self.stream_source.read, ranges),
            offsets=offsets,
            decoder=decoder,
            spool=self.spool_for(min(offsets, announced or offsets)),
            bad_records=self.bad_records,
            rejected_records=self.rejected_records,
        ) as stream:
            try:
                # Most streams hold a record per offset: training need not wait for the
                # end to know where its part ends.
                whole = announced is None or self.sampler is not None
                expected = stream.finish() if whole else offsets
                report, model = self._fit(untrained, request, stream, expected)
            except StreamShorter:
                found = stream.finish()
                log.info(
                    "fewer records than offsets: training starts over",
                    extra={"offsets": offsets, "records": found},
                )
                report, model = self._fit(untrained, request, stream, found)
            _log_stream(stream, request)
        return report, model

    def _fit(
        self, untrained: Path, request: TrainingRequest, stream: Intake, expected: int
    ) -> tuple[TrainingReport, Path]:
        """
        Train on *stream*, which is thought to hold as many examples as *expected*.

        Raises:
            StreamShorter: It holds fewer.
        """
        split = self.split(request, expected)
        _warn_of_empty_parts(request, split, expected)
        training, validation, test = self._parts(stream, split)
        history: list[EpochMetrics] = []

        def on_epoch_end(metrics: EpochMetrics) -> None:
            history.append(metrics)
            log.info(
                "epoch ended",
                extra={
                    "epoch": len(history),
                    "training": dict(metrics.training),
                    "validation": dict(metrics.validation),
                },
            )
            self.result_sink.report_progress(tuple(history))

        model = self.trainer.load(untrained)
        started = self.clock()
        model.fit(training, validation, on_epoch_end)
        training_time = self.clock() - started
        stream.finish()  # a stream that breaks off behind its parts is broken, too

        report = TrainingReport(
            history=tuple(history),
            test=model.evaluate(test) if test else {},
            training_time=training_time,
            confusion_matrix=(
                model.confusion_matrix(test)
                if test and self.wants_confusion_matrix
                else None
            ),
            stream=stream.counts,
        )
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


def _warn_of_empty_parts(request: TrainingRequest, split: Split, rows: int) -> None:
    """Say which parts were asked for but got no example."""
    # What 2020's platform calls validation is our test part.
    validation = split.validation or (None if request.test_rate else split.test)
    extra = {
        "examples": rows,
        "validation_rate": request.validation_rate,
        "test_rate": request.test_rate,
    }
    if request.validation_rate > 0 and not validation:
        log.warning("no example is left for validation", extra=extra)
    if request.test_rate > 0 and not split.test:
        log.warning("no example is left for the test", extra=extra)


def _log_stream(stream: Intake, request: TrainingRequest) -> None:
    """Say what was read, and which stage held the others up."""
    counts = asdict(stream.counts)
    seconds = {stage: round(s, 3) for stage, s in asdict(stream.seconds).items()}
    extra = {"announced": request.total_msg, **counts, "seconds": seconds}
    log.info("stream read", extra=extra)
    if request.total_msg not in {None, stream.counts.examples}:
        log.warning("not as many examples as announced", extra=extra)
