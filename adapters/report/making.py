"""A document made of a story."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import attrs

from adapters.report.data import Data, Partition, Wanted
from adapters.report.document import (
    Document,
    LayerLine,
    Run,
    Skipped,
    StageTime,
    State,
)
from adapters.report.facts import Facts
from adapters.report.training import Epoch, MiniBatch, Numbers, Step, Training
from domain.phases import Phase
from domain.report import EpochMetrics, History, StageSeconds, StreamCounts
from domain.request import TrainingRequest
from domain.story import Story

_SIGNALLED = 128
"""Exit codes above are those of a process that was told to stop."""


def document(story: Story, facts: Facts) -> Document:
    """Say of *story* what is worth keeping; *facts* are what it does not tell."""
    return Document(
        run=_run(story, facts),
        data=_data(story, story.request, facts) if story.request else None,
        training=_training(story),
        stages=tuple(_stages(story)),
        skipped=tuple(
            Skipped(one.position, facts.hide(one.reason)) for one in story.skipped
        ),
        model=tuple(LayerLine(**attrs.asdict(layer)) for layer in story.model),
        settings=facts.settings,
        versions=facts.versions,
        machine=facts.machine,
    )


def _run(story: Story, facts: Facts) -> Run:
    return Run(
        state=_state(story),
        deployment=facts.deployment,
        identity=story.identity,
        begun=moment(story.begun),
        told=moment(story.told),
        seconds=story.told - story.begun,
        phase=story.phase,
        code=story.ended.code if story.ended else None,
        reason=facts.hide(story.ended.reason) if story.ended else "",
        results=story.deliveries,
    )


def moment(seconds: float) -> str:
    """Return a time since 1970 in UTC, to the millisecond."""
    when = datetime.fromtimestamp(seconds, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _state(story: Story) -> State:
    if story.ended is None:
        return "running"
    if not story.ended.code:
        return "delivered"
    return "stopped" if story.ended.code > _SIGNALLED else "failed"


def _stages(story: Story) -> Iterator[StageTime]:
    seconds: dict[str, list[float]] = {}
    for stage in story.stages:
        seconds.setdefault(stage.phase, []).append(stage.seconds)
    for phase, times in seconds.items():
        if phase != Phase.DONE:
            yield StageTime(str(phase), sum(times), len(times))


def _data(story: Story, request: TrainingRequest, facts: Facts) -> Data:
    seconds = _reading_seconds(story)
    busy = seconds.fetch + seconds.decode + seconds.spool
    read = sum(one.records for one in story.partitions)
    return Data(
        format=request.decoder.format,
        options={
            name: facts.hide(str(value))
            for name, value in request.decoder.options.items()
        },
        announced=request.total_msg,
        validation_rate=request.validation_rate,
        test_rate=request.test_rate,
        wanted=tuple(_wanted(request)),
        expected=story.expected,
        before=story.before,
        partitions=tuple(
            Partition(
                topic=one.topic,
                partition=one.partition,
                first=one.first,
                next=one.next,
                records=one.records,
                rejected=one.rejected,
                bytes=one.size,
                missing=one.missing,
                gaps=one.gaps,
            )
            for one in story.partitions
        ),
        counts=_counts(story),
        bytes=sum(one.size for one in story.partitions),
        seconds=seconds,
        records_per_second=read / busy if busy else None,
        parts=attrs.asdict(story.parts) if story.parts else {},
    )


def _counts(story: Story) -> StreamCounts:
    """Return the counts of the streams' ends, or what there is so far."""
    ended = [stream.counts for stream in story.streams]
    if not ended:
        return story.counts
    return StreamCounts(
        sum(one.offsets for one in ended),
        sum(one.examples for one in ended),
        sum(one.rejected for one in ended),
    )


def _reading_seconds(story: Story) -> StageSeconds:
    read = [stream.seconds for stream in story.streams]
    return StageSeconds(
        sum(one.fetch for one in read),
        sum(one.decode for one in read),
        sum(one.spool for one in read),
        sum(one.wait for one in read),
    )


def _wanted(request: TrainingRequest) -> Iterator[Wanted]:
    for ranges, topic, labelled in (
        (request.ranges, request.topic, True),
        (request.unlabelled, request.unlabelled_topic, False),
    ):
        if topic is not None:
            yield Wanted(topic, labelled=labelled)
            continue
        for one in ranges:
            yield Wanted(one.topic, one.partition, one.start, one.end, labelled)


def _training(story: Story) -> Training:
    report, history = story.report, _history(story)
    seconds = report.training_time if report else None
    examples = story.parts.training * len(history) if story.parts else 0
    return Training(
        epochs=tuple(
            Epoch(_numbers(epoch.training), _numbers(epoch.validation))
            for epoch in history
        ),
        step=Step(**attrs.asdict(story.step)) if story.step else None,
        test=_numbers(report.test) if report else {},
        confusion_matrix=report.confusion_matrix if report else None,
        seconds=seconds,
        examples_per_second=examples / seconds if seconds and examples else None,
        labelled=tuple(one.labelled for one in story.labelled),
        mini_batches=tuple(
            MiniBatch(
                one.number,
                one.rows,
                _number(one.value),
                _number(one.reference),
                one.better,
            )
            for one in story.mini_batches
        ),
        checkpoints=story.checkpoints,
        checkpoint_seconds=story.checkpoint_seconds,
    )


def _history(story: Story) -> History:
    """
    Return the epochs that are known.

    The report has those of other processes, too; of a topic that is followed it has the
    last mini-batch alone.
    """
    own: tuple[EpochMetrics, ...] = tuple(epoch.metrics for epoch in story.epochs)
    told = story.report.history if story.report else ()
    return max(told, own, key=len)


def _numbers(metrics: Mapping[str, float]) -> Numbers:
    return {name: _number(value) for name, value in metrics.items()}


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
