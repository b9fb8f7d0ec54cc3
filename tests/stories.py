"""Stories of jobs, for whoever shows them."""

from __future__ import annotations

import math

from domain.chronicle import Chronicle
from domain.events import (
    CheckpointKept,
    EpochEnded,
    JobEnded,
    Layer,
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
)
from domain.offsets import OffsetRange, RequestedRange
from domain.phases import Phase
from domain.report import (
    ConfusionMatrix,
    EpochMetrics,
    StageSeconds,
    StreamCounts,
    TrainingReport,
)
from domain.request import DecoderSpec, TrainingRequest
from domain.story import Story

IDENTITY = "0123456789abcdef" * 2
LAYERS = (
    Layer("input_1", "InputLayer", (None, 28, 28), 0),
    Layer("flatten", "Flatten", (), 0),
    Layer("dense", "Dense", (), 100_480),
    Layer("dense_1", "Dense", (), 1290),
)


class Clock:
    """Goes on by a quarter of a second with every look."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


def request(topic="digits", **options):
    return TrainingRequest(
        (RequestedRange(topic, 0, 0, 60_000), RequestedRange(topic, 1, 100, None)),
        DecoderSpec("RAW", {"data_type": "uint8", "data_reshape": "28 28", **options}),
        0.1,
        0.1,
        70_000,
    )


def history(epochs=12):
    return tuple(
        EpochMetrics(
            {"loss": 2 / (n + 1) + 0.1, "accuracy": 1 - 0.6 / (n + 1)},
            {
                "loss": math.nan if n == 4 else 2 / (n + 1) + 0.15 + 0.004 * n,
                "accuracy": 0.97 - 0.5 / (n + 1),
            },
        )
        for n in range(epochs)
    )


def confusion(classes=10):
    counts = [
        [
            640 + 7 * row if row == column else (row * 7 + column * 3) % 11 // 7 * row
            for column in range(classes)
        ]
        for row in range(classes)
    ]
    return ConfusionMatrix(tuple(range(classes)), tuple(map(tuple, counts)))


def reading(chronicle, topic="digits"):
    """Tell *chronicle* of a stream of two partitions with gaps and bad records."""
    chronicle(Phase.FETCHING)
    chronicle(ModelInspected(LAYERS))
    chronicle(Phase.WAITING)
    chronicle(Phase.OPENING)
    chronicle(RunBegan(IDENTITY, request(topic)))
    chronicle(Phase.READING)
    rest = (OffsetRange(topic, 0, 0, 60_000), OffsetRange(topic, 1, 100, 10_100))
    chronicle(StreamOpened(rest, StreamCounts(70_000, 0, 0)))
    for start in range(0, 60_000, 6000):
        chronicle(RecordsRead(topic, 0, start, start + 5999, 6000, 2, 6000 * 785))
    chronicle(RecordsRead(topic, 1, 100, 5099, 5000, 0, 5000 * 785))
    chronicle(RecordsRead(topic, 1, 5200, 10_099, 4900, 0, 4900 * 785))


def training(chronicle, epochs=12):
    """Tell *chronicle* of a training."""
    chronicle(PartsCut(55_904, 6988, 6988))
    chronicle(Phase.LOADING)
    chronicle(Phase.TRAINING)
    for number, metrics in enumerate(history(epochs), 1):
        chronicle(StepsDone(number, 12, 1747, 1747))
        chronicle(Phase.REPORTING)
        chronicle(EpochEnded(number, metrics))
        chronicle(CheckpointKept(number, 0.02))


def report(epochs=12, classes=10):
    return TrainingReport(
        history(epochs),
        {"loss": 0.2871, "accuracy": 0.9333},
        43.21,
        confusion(classes),
        StreamCounts(70_000, 69_880, 20),
    )


def delivered(topic="digits", classes=10) -> Story:
    """A job that went well."""
    chronicle = Chronicle(Clock())
    reading(chronicle, topic)
    training(chronicle)
    chronicle(Phase.EVALUATING)
    chronicle(Phase.SAVING)
    seconds = StageSeconds(3.4, 0.8, 0.3, 1.1)
    chronicle(StreamRead(StreamCounts(70_000, 69_880, 20), seconds))
    chronicle(ResultMade(report(classes=classes)))
    chronicle(Phase.KEEPING)
    chronicle(Phase.DELIVERING)
    chronicle(ResultDelivered(report(classes=classes)))
    chronicle(Phase.DONE)
    chronicle(JobEnded(0))
    return chronicle.story()


def running() -> Story:
    """A job in its sixth epoch."""
    chronicle = Chronicle(Clock())
    reading(chronicle)
    training(chronicle, epochs=5)
    chronicle(StepsDone(6, 12, 800, 1747))
    return chronicle.story()


def waiting() -> Story:
    """A job that has its model, and no message."""
    chronicle = Chronicle(Clock())
    chronicle(Phase.FETCHING)
    chronicle(ModelInspected(LAYERS))
    chronicle(Phase.WAITING)
    return chronicle.story()


def failed(reason="kafka:9092: brokers away for 300 s", topic="digits") -> Story:
    """A job that passed a message over and lost its brokers with the next one."""
    chronicle = Chronicle(Clock())
    chronicle(RequestSkipped("control[0]@3", f"{topic}: is not there"))
    reading(chronicle, topic)
    chronicle(JobEnded(75, reason))
    return chronicle.story()
