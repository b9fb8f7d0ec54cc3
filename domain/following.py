"""
Streams that are trained on while they are written (contract, sections 10.2, 10.5).

Which ones can be, and how one is followed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing

from attrs import asdict, frozen

from domain.bad_records import BadRecordPolicy
from domain.errors import MalformedRequest
from domain.events import Listener, TopicFollowed
from domain.live_training import LiveTraining
from domain.mini_batches import MiniBatch, MiniBatches, Pace
from domain.phases import Phase
from domain.progress import LiveStreamProgress
from domain.report import StreamCounts
from domain.request import TrainingRequest
from ports import Decoder, LiveStream, RejectedRecords, SpoolFactory

log = logging.getLogger(__name__)


def labelled_topic(request: TrainingRequest, pace: Pace | None) -> str:
    """
    Return the labelled topic to follow.

    Args:
        request: Names it.

        pace: Tells whether the stream ever ends; None if nobody knows.

    Raises:
        MalformedRequest: There is none to be followed.
    """
    if request.topic is None:
        raise MalformedRequest(
            f"topic: {', '.join(map(str, request.ranges))} is a range; to train on a "
            "stream as it comes, name the topic alone (CASE 1 takes ranges)"
        )
    _require_validation(request, pace)
    return request.topic


def unlabelled_topic(request: TrainingRequest, pace: Pace | None) -> str:
    """
    Return the topic of records without labels to follow; see `labelled_topic`.

    Raises:
        MalformedRequest: There is none to be followed.
    """
    if request.unlabelled_topic is None:
        raise MalformedRequest(
            f"unsupervised_topic: {', '.join(map(str, request.unlabelled))} is a "
            "range; to label a stream as it comes, name the topic alone (CASE 1 and 3 "
            "take ranges)"
        )
    _require_validation(request, pace)
    return request.unlabelled_topic


def _require_validation(request: TrainingRequest, pace: Pace | None) -> None:
    if pace is not None and pace.timeout is None and not request.validation_rate:
        raise MalformedRequest(
            "validation_rate 0: which models are better is told by validation, and "
            "without an end (STREAM_TIMEOUT -1) no others are handed in"
        )


@frozen
class Following:
    """
    How a stream is followed, mini-batch after mini-batch.

    Attributes:
        live_stream: Where it is.

        pace: When a mini-batch is complete, and when the stream has ended.

        decoder: Makes examples of its records.

        spool_for: Makes a spool for every mini-batch.

        bad_records: How many of the records may be bad.

        rejected_records: Where bad ones are kept, if the policy diverts them.

        on_event: Is told what happens.

        clock: Seconds from any fixed point.
    """

    live_stream: LiveStream
    pace: Pace
    decoder: Decoder
    spool_for: SpoolFactory
    bad_records: BadRecordPolicy
    rejected_records: RejectedRecords | None
    on_event: Listener
    clock: Callable[[], float]

    def run(
        self,
        progress: LiveStreamProgress,
        training: LiveTraining,
        learn: Callable[[MiniBatch], bool],
    ) -> StreamCounts:
        """
        Learn from a stream until it ends.

        Args:
            progress: How far it was read before.

            training: Is kept if the process is told to stop while it waits.

            learn: Trains on a mini-batch; says whether to go on.

        Returns:
            What came, what was read before included.

        Raises:
            ServiceError: Reading failed, or too many records are bad.
        """
        stream = self.live_stream.follow(progress.position)
        mini_batches = MiniBatches(
            stream=stream,
            progress=progress,
            pace=self.pace,
            decoder=self.decoder,
            spool_for=self.spool_for,
            bad_records=self.bad_records,
            rejected_records=self.rejected_records,
            clock=self.clock,
            on_event=self.on_event,
        )
        topic, offsets = progress.position.topic, progress.position.offsets
        extra = {"topic": topic, "offsets": dict(offsets)}
        log.info("stream is followed", extra=extra)
        self.on_event(TopicFollowed(topic, tuple(offsets.items())))
        try:
            while (mini_batch := self._next(mini_batches, training)) is not None:
                with closing(mini_batch.spool):
                    if not learn(mini_batch):
                        break
        finally:
            if isinstance(stream, Generator):  # which holds connections
                stream.close()
        counts = mini_batches.progress.counts
        log.info("stream has ended", extra=asdict(counts))
        return counts

    def _next(
        self, mini_batches: MiniBatches, training: LiveTraining
    ) -> MiniBatch | None:
        """Wait for a mini-batch; whoever is stopped meanwhile keeps the training."""
        self.on_event(Phase.READING)
        try:
            return mini_batches.next()
        except SystemExit:
            training.keep()
            raise
