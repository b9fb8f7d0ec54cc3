"""What has happened in a job up to a moment."""

from __future__ import annotations

from functools import singledispatch
from typing import Self

from attrs import evolve, frozen

from domain.events import (
    CheckpointKept,
    Event,
    ExamplesLabelled,
    JobEnded,
    Layer,
    MiniBatchTrained,
    ModelInspected,
    PartsCut,
    RecordsRead,
    RequestSkipped,
    ResultDelivered,
    ResultMade,
    RunBegan,
    StepsDone,
    StreamOpened,
    StreamRead,
    TopicFollowed,
)
from domain.phases import Phase
from domain.report import EpochMetrics, StreamCounts, TrainingReport
from domain.request import TrainingRequest

MOST = 10_000
"""Stages, epochs and mini-batches that are kept; older ones are forgotten."""

_GAPS = 1000
"""Gaps that are kept one by one, per partition; more are only counted."""


@frozen
class Stage:
    """
    One phase of the job, from its beginning to that of the next one.

    Reporting an epoch is a moment of the training, not a stage of its own.

    Attributes:
        phase: Which.

        begun: Seconds since 1970.

        seconds: How long it took, or has taken so far.
    """

    phase: Phase
    begun: float
    seconds: float = 0.0


@frozen
class Epoch:
    """
    One epoch that has ended.

    Attributes:
        ended: Seconds since 1970.

        metrics: Its metrics.
    """

    ended: float
    metrics: EpochMetrics


@frozen
class PartitionRead:
    """
    What was read of one partition in this process.

    Attributes:
        topic: The topic's name.

        partition: The partition's number.

        first: Offset of the first record.

        next: The offset behind the last record.

        records: Records that came.

        rejected: Records of them that did not decode.

        size: Bytes of their keys and values.

        missing: Offsets in between that hold no record, as far as batches tell.

        gaps: Where these are: the first offset of each gap, and that behind its last.

        end: Of a topic that is followed, the end of its partition, when last read.
    """

    topic: str
    partition: int
    first: int
    next: int
    records: int = 0
    rejected: int = 0
    size: int = 0
    missing: int = 0
    gaps: tuple[tuple[int, int], ...] = ()
    end: int | None = None

    @property
    def lag(self) -> int:
        """Offsets to the end, as far as it is known."""
        return max((self.end or 0) - self.next, 0)

    def and_then(self, event: RecordsRead) -> Self:
        """Return the same with the records of *event*."""
        within = event.last + 1 - event.first - event.records
        between = max(event.first - self.next, 0)
        gaps = self.gaps
        if between and len(gaps) < _GAPS:
            gaps = (*gaps, (self.next, event.first))
        return evolve(
            self,
            next=event.last + 1,
            records=self.records + event.records,
            rejected=self.rejected + event.rejected,
            size=self.size + event.size,
            missing=self.missing + within + between,
            gaps=gaps,
            end=event.end,
        )


@frozen
class Story:
    """
    What has happened in a job up to a moment.

    Attributes:
        begun: When the job began, in seconds since 1970.

        told: When this was told.

        stages: The phases, oldest first; the last one goes on unless the job has ended.

        skipped: Control messages that were passed over.

        model: The layers of the model, as far as its file tells.

        identity: What tells this training from others; empty as long as there is none.

        request: What is trained on.

        expected: Offsets of all bounded streams that were opened.

        before: Offsets of them that another process has read before.

        topics: Streams without an end that are followed.

        partitions: What was read, in the order in which it began to come.

        streams: What came of the streams that have ended, and how long each stage took.

        parts: How many examples each part has.

        step: How far the present epoch is; None between two epochs.

        epochs: The epochs that have ended in this process.

        labelled: What the model has labelled itself.

        mini_batches: What it was fitted to of a stream without an end.

        checkpoints: How often the training was made safe.

        checkpoint_seconds: How long that took together.

        report: What came of the training, once it is known.

        deliveries: How many results were accepted.

        ended: How the job ended.
    """

    begun: float
    told: float
    stages: tuple[Stage, ...] = ()
    skipped: tuple[RequestSkipped, ...] = ()
    model: tuple[Layer, ...] = ()
    identity: str = ""
    request: TrainingRequest | None = None
    expected: int = 0
    before: int = 0
    topics: tuple[TopicFollowed, ...] = ()
    partitions: tuple[PartitionRead, ...] = ()
    streams: tuple[StreamRead, ...] = ()
    parts: PartsCut | None = None
    step: StepsDone | None = None
    epochs: tuple[Epoch, ...] = ()
    labelled: tuple[ExamplesLabelled, ...] = ()
    mini_batches: tuple[MiniBatchTrained, ...] = ()
    checkpoints: int = 0
    checkpoint_seconds: float = 0.0
    report: TrainingReport | None = None
    deliveries: int = 0
    ended: JobEnded | None = None

    @property
    def phase(self) -> Phase | None:
        """What the job is doing."""
        return self.stages[-1].phase if self.stages else None

    @property
    def counts(self) -> StreamCounts:
        """Offsets that were passed, records that decoded, and those that did not."""
        records = sum(one.records for one in self.partitions)
        rejected = sum(one.rejected for one in self.partitions)
        missing = sum(one.missing for one in self.partitions)
        passed = self.before + records + missing
        return StreamCounts(passed, records - rejected, rejected)


@singledispatch
def after(event: Event, story: Story) -> Story:  # noqa: ARG001  # what it dispatches on
    """Return *story* with *event*; those that come often are none of its business."""
    return story


@after.register
def _(event: ModelInspected, story: Story) -> Story:
    return evolve(story, model=event.layers)


@after.register
def _(event: RunBegan, story: Story) -> Story:
    return evolve(story, identity=event.identity, request=event.request)


@after.register
def _(event: StreamOpened, story: Story) -> Story:
    offsets = event.counts.offsets
    return evolve(
        story,
        expected=story.expected + offsets,
        before=story.before + offsets - sum(map(len, event.rest)),
    )


@after.register
def _(event: TopicFollowed, story: Story) -> Story:
    return evolve(story, topics=(*story.topics, event))


@after.register
def _(event: StreamRead, story: Story) -> Story:
    return evolve(story, streams=(*story.streams, event))


@after.register
def _(event: PartsCut, story: Story) -> Story:
    return evolve(story, parts=event)


@after.register
def _(event: StepsDone, story: Story) -> Story:
    return evolve(story, step=event)


@after.register
def _(event: ExamplesLabelled, story: Story) -> Story:
    return evolve(story, labelled=(*story.labelled, event)[-MOST:])


@after.register
def _(event: MiniBatchTrained, story: Story) -> Story:
    return evolve(story, mini_batches=(*story.mini_batches, event)[-MOST:])


@after.register
def _(event: CheckpointKept, story: Story) -> Story:
    return evolve(
        story,
        checkpoints=story.checkpoints + 1,
        checkpoint_seconds=story.checkpoint_seconds + event.seconds,
    )


@after.register
def _(event: ResultMade, story: Story) -> Story:
    return evolve(story, report=event.report)


@after.register
def _(event: ResultDelivered, story: Story) -> Story:
    return evolve(story, report=event.report, deliveries=story.deliveries + 1)
