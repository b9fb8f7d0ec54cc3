"""
The job: wait for the deployment's data, train its model, hand in the result.

This is the whole service; everything else is how.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from domain.dataset import Part, fill
from domain.errors import RequestRejected, Unavailable
from domain.report import EpochMetrics, TrainingReport
from domain.request import DeploymentId, TrainingRequest
from domain.split import SplitRule
from ports import (
    ControlSource,
    DecoderFactory,
    ModelRepository,
    ResultSink,
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
                return self._train(untrained, message.open())
            except RequestRejected as reason:
                log.warning(
                    "control message skipped",
                    extra={"position": message.position, "reason": str(reason)},
                )
        raise Unavailable("the control topic ended")

    def _train(self, untrained: Path, request: TrainingRequest) -> TrainingReport:
        """Train on the stream that *request* names, and deliver the result."""
        decoder = self.decoder_for(request.decoder)
        ranges = self.stream_source.resolve(request.ranges)
        spool = self.spool_for(sum(map(len, ranges)))
        fill(spool, self.stream_source.read(ranges), decoder)
        split = self.split(request, len(spool))
        training = Part(spool, split.training)
        validation = Part(spool, split.validation) if split.validation else None
        test = Part(spool, split.test) if split.test else None
        log.info(
            "stream read",
            extra={
                "records": len(spool),
                "announced": request.total_msg,
                "training": len(training),
                "validation": len(validation or ()),
                "test": len(test or ()),
            },
        )

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

        report = TrainingReport(
            history=tuple(history),
            test=model.evaluate(test) if test else {},
            training_time=training_time,
            confusion_matrix=(
                model.confusion_matrix(test)
                if test and self.wants_confusion_matrix
                else None
            ),
        )
        self.result_sink.deliver(report, model.save())
        log.info("result delivered", extra={"training_time": training_time})
        return report
