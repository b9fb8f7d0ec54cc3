"""
What happens in a job, for whoever watches it.

Displays, metrics and reports are listeners; the job does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen

from domain.offsets import OffsetRange
from domain.phases import Phase
from domain.report import EpochMetrics, StageSeconds, StreamCounts, TrainingReport
from domain.request import TrainingRequest


@frozen
class RequestSkipped:
    """
    A control message was passed over.

    Attributes:
        position: Where it lies.

        reason: Why.
    """

    position: str
    reason: str


@frozen
class Layer:
    """
    A layer of a model, as its file describes it.

    Attributes:
        name: Its own.

        kind: What Keras calls its class.

        shape: Of what goes into it, or comes out of it, as far as the file tells; None
            for an axis that is open.

        parameters: How many weights it has; None if the file does not tell.

        part: The sub-model that it is in, if the model is a chain.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...] = ()
    parameters: int | None = None
    part: str = ""


@frozen
class ModelInspected:
    """
    The untrained model was looked into.

    Attributes:
        layers: What it is made of, as far as its file tells.
    """

    layers: tuple[Layer, ...]


@frozen
class RunBegan:
    """
    There is a request to serve.

    Attributes:
        identity: What tells this training from others, 32 hexadecimal digits.

        request: What is to be trained on.
    """

    identity: str
    request: TrainingRequest


@frozen
class StreamOpened:
    """
    A stream is about to be read.

    Attributes:
        rest: What of it is to be read now.

        counts: What another process has read of it before.
    """

    rest: tuple[OffsetRange, ...]
    counts: StreamCounts


@frozen
class TopicFollowed:
    """
    A stream without an end is about to be read.

    Attributes:
        topic: Its name.

        offsets: The next offset of each partition.
    """

    topic: str
    offsets: tuple[tuple[int, int], ...]


@frozen
class RecordsRead:
    """
    Records of one partition have come and were decoded.

    Attributes:
        topic: The topic's name.

        partition: The partition's number.

        first: Offset of the first one.

        last: Offset of the last one; between them there may be gaps.

        records: How many they are.

        rejected: How many of them did not decode.

        size: Bytes of their keys and values.

        end: Of a topic that is followed, the end of the partition so far, if known.
    """

    topic: str
    partition: int
    first: int
    last: int
    records: int
    rejected: int
    size: int
    end: int | None = None


@frozen
class StreamRead:
    """
    A stream was read to its end.

    Attributes:
        counts: What came.

        seconds: Where the time went.
    """

    counts: StreamCounts
    seconds: StageSeconds = field(factory=StageSeconds)


@frozen
class PartsCut:
    """
    A stream was shared out.

    Attributes:
        training: Examples to fit the model on.

        validation: Examples to watch the fit with.

        test: Examples to test the trained model on.
    """

    training: int
    validation: int
    test: int


@frozen
class StepsDone:
    """
    Some steps of an epoch were trained.

    Attributes:
        epoch: Number of the epoch in this fit, from 1.

        epochs: How many epochs it has, at most.

        step: Steps that are done.

        steps: Steps of the epoch.
    """

    epoch: int
    epochs: int
    step: int
    steps: int


@frozen
class EpochEnded:
    """
    An epoch was trained.

    Attributes:
        number: Counted over all fits, from 1.

        metrics: Its metrics.
    """

    number: int
    metrics: EpochMetrics


@frozen
class CheckpointKept:
    """
    The training was made safe as it is.

    Attributes:
        epochs: How many are complete.

        seconds: How long it took.
    """

    epochs: int
    seconds: float


@frozen
class ExamplesLabelled:
    """
    The model has labelled examples itself.

    Attributes:
        number: The round's or mini-batch's, from 1.

        labelled: How many got a label.

        remaining: How many did not.
    """

    number: int
    labelled: int
    remaining: int


@frozen
class MiniBatchTrained:
    """
    The model was fitted to a part of a stream without an end.

    Attributes:
        number: The mini-batch's, from 1.

        rows: Examples that it was fitted to.

        value: The monitored metric, if one is monitored.

        reference: What it is compared with, if there was one before.

        better: Whether the model is better than any before.
    """

    number: int
    rows: int
    value: float | None
    reference: float | None
    better: bool


@frozen
class ResultMade:
    """
    The training has ended, or a better model is there.

    Attributes:
        report: What came of it.
    """

    report: TrainingReport


@frozen
class ResultDelivered:
    """
    A result was accepted.

    Attributes:
        report: What came of the training.

        model: The trained model as it was delivered, a file or, of a chain, a folder;
            it may be gone once the listener has returned.
    """

    report: TrainingReport
    model: Path | None = None


@frozen
class JobEnded:
    """
    There is nothing more to come.

    Attributes:
        code: The process's exit code; 0 says that a result was accepted.

        reason: What went wrong; empty if nothing did.
    """

    code: int
    reason: str = ""


Event = (
    Phase
    | JobEnded
    | RequestSkipped
    | ModelInspected
    | RunBegan
    | StreamOpened
    | TopicFollowed
    | RecordsRead
    | StreamRead
    | PartsCut
    | StepsDone
    | EpochEnded
    | CheckpointKept
    | ExamplesLabelled
    | MiniBatchTrained
    | ResultMade
    | ResultDelivered
)

Listener = Callable[[Event], None]
"""
Is told what happens, in order.

It must be quick, and must not raise.  `RecordsRead` may come from another thread than
the others, beside them.
"""


def ignore(_: Event) -> None:
    """Listen to nothing."""
