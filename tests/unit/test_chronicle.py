"""What is remembered of a job, event by event."""

from __future__ import annotations

import threading

import pytest
from attrs import define

from domain.chronicle import Chronicle
from domain.events import (
    CheckpointKept,
    EpochEnded,
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
from domain.offsets import OffsetRange, RequestedRange
from domain.phases import Phase
from domain.report import EpochMetrics, StreamCounts, TrainingReport
from domain.request import DecoderSpec, TrainingRequest
from domain.story import MOST, PartitionRead, Stage

REQUEST = TrainingRequest((RequestedRange("data", 0, 0, 10),), DecoderSpec("RAW", {}))
EPOCH = EpochMetrics({"loss": 0.5}, {"loss": 0.75})
REPORT = TrainingReport((EPOCH,), {}, 2.5)


@define
class Clock:
    """Stands still between its own steps."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def chronicle(clock):
    return Chronicle(clock)


def read(first, last, records=None, rejected=0, partition=0):
    records = last + 1 - first if records is None else records
    return RecordsRead("data", partition, first, last, records, rejected, 7 * records)


def test_stages(chronicle, clock):
    """A phase lasts until the next one; the last one goes on."""
    for phase, seconds in ((Phase.WAITING, 5), (Phase.READING, 2), (Phase.DONE, 1)):
        chronicle(phase)
        clock.now += seconds

    story = chronicle.story()

    assert (
        Stage(Phase.WAITING, 1000, 5),
        Stage(Phase.READING, 1005, 2),
        Stage(Phase.DONE, 1007, 1),
    ) == story.stages
    assert Phase.DONE is story.phase
    assert (1000, 1008) == (story.begun, story.told)


def test_reports_of_epochs(chronicle, clock):
    """They are moments of the training: it has one stage, however many epochs."""
    for phase in (Phase.TRAINING, Phase.REPORTING, Phase.REPORTING, Phase.EVALUATING):
        chronicle(phase)
        clock.now += 3

    stages = chronicle.story().stages

    assert (
        Stage(Phase.TRAINING, 1000, 9),
        Stage(Phase.EVALUATING, 1009, 3),
    ) == stages


def test_end(chronicle, clock):
    """After the end time stands still."""
    chronicle(Phase.TRAINING)
    clock.now += 3
    chronicle(JobEnded(75, "brokers away"))
    clock.now += 50

    story = chronicle.story()

    assert JobEnded(75, "brokers away") == story.ended
    assert 1003 == story.told
    assert 3 == story.stages[-1].seconds


def test_records(chronicle):
    """Records, bytes and gaps are counted per partition, within batches and between."""
    for event in (
        read(10, 14),
        read(20, 29, rejected=2, partition=1),
        read(15, 19, records=3),
        read(25, 26),
    ):
        chronicle(event)

    story = chronicle.story()

    assert (
        PartitionRead("data", 0, 10, 27, 10, 0, 70, 7, ((20, 25),)),
        PartitionRead("data", 1, 20, 30, 10, 2, 70),
    ) == story.partitions
    assert StreamCounts(27, 18, 2) == story.counts


def test_many_gaps(chronicle):
    """Gaps without number are counted, not kept."""
    for offset in range(0, 6000, 2):
        chronicle(read(offset, offset))

    (partition,) = chronicle.story().partitions

    assert 2999 == partition.missing
    assert 1000 == len(partition.gaps)


def test_resumed(chronicle):
    """What another process has read counts as passed."""
    rest = (OffsetRange("data", 0, 60, 100),)
    chronicle(StreamOpened(rest, StreamCounts(100, 60, 0)))
    chronicle(read(60, 69))

    story = chronicle.story()

    assert (100, 60) == (story.expected, story.before)
    assert 70 == story.counts.offsets


def test_epochs(chronicle, clock):
    """A step counts until its epoch has ended."""
    chronicle(PartsCut(8, 1, 1))
    chronicle(StepsDone(1, 3, 4, 5))
    assert StepsDone(1, 3, 4, 5) == chronicle.story().step

    clock.now += 2
    chronicle(EpochEnded(1, EPOCH))
    story = chronicle.story()

    assert story.step is None
    assert [(1002, EPOCH)] == [(one.ended, one.metrics) for one in story.epochs]
    assert PartsCut(8, 1, 1) == story.parts


def test_everything_else(chronicle):
    """Events that come rarely are kept as they are."""
    labelled = ExamplesLabelled(1, 5, 3)
    trained = MiniBatchTrained(1, 300, 0.5, None, False)
    ended = StreamRead(StreamCounts(10, 9, 1))
    for event in (
        RunBegan("ab" * 16, REQUEST),
        TopicFollowed("live", ((0, 7),)),
        ended,
        CheckpointKept(1, 0.25),
        CheckpointKept(2, 0.5),
        labelled,
        trained,
        ResultMade(REPORT),
        ResultDelivered(REPORT),
    ):
        chronicle(event)

    story = chronicle.story()

    assert ("ab" * 16, REQUEST) == (story.identity, story.request)
    assert (TopicFollowed("live", ((0, 7),)),) == story.topics
    assert (ended,) == story.streams
    assert (2, 0.75) == (story.checkpoints, story.checkpoint_seconds)
    assert ((labelled,), (trained,)) == (story.labelled, story.mini_batches)
    assert (REPORT, 1) == (story.report, story.deliveries)


def test_skipped(chronicle):
    """A message that is skipped takes its training with it; time and model stay."""
    layer = Layer("dense", "Dense", (None, 4), 20)
    chronicle(ModelInspected((layer,)))
    chronicle(Phase.READING)
    chronicle(RunBegan("ab" * 16, REQUEST))
    chronicle(read(0, 9))
    chronicle(EpochEnded(1, EPOCH))
    skipped = RequestSkipped("control[0]@3", "nothing decodes")
    chronicle(skipped)

    story = chronicle.story()

    assert (skipped,) == story.skipped
    assert (layer,) == story.model
    assert "" == story.identity
    assert story.request is None
    assert () == story.partitions == story.epochs
    assert [Phase.READING] == [stage.phase for stage in story.stages]


def test_endless(chronicle):
    """What an endless job does is not remembered for ever."""
    for number in range(1, MOST + 11):
        chronicle(Phase.TRAINING)
        chronicle(EpochEnded(number, EpochMetrics({"loss": number})))
        chronicle(MiniBatchTrained(number, 300, None, None, False))

    story = chronicle.story()

    assert [MOST] * 3 == [
        len(told) for told in (story.stages, story.epochs, story.mini_batches)
    ]
    assert MOST + 10 == story.mini_batches[-1].number
    assert {"loss": MOST + 10} == story.epochs[-1].metrics.training


def test_threads(chronicle):
    """Records may come beside everything else, and be asked for beside that."""

    def tell(partition):
        for offset in range(1000):
            chronicle(read(offset, offset, partition=partition))
            chronicle.story()

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 4000 == chronicle.story().counts.examples
