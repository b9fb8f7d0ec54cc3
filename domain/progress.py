"""How far a job has got, for another process that is to go on from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

from domain.batches import BinaryColumn, Decoded, RecordBatch
from domain.offsets import OffsetRange
from domain.report import History, StreamCounts, TrainingReport


@frozen
class StreamProgress:
    """
    How far a stream has been read.

    Attributes:
        rest: What has not been read yet; nothing once the stream was read to its end.

        counts: What came so far.

        first_rejected: The place of the first bad record and what is wrong with it;
            empty as long as there is none.

        opening: The records that settled what the format leaves open; another process
            must decode them first.  None as long as no record did.
    """

    rest: tuple[OffsetRange, ...]
    counts: StreamCounts
    first_rejected: str = ""
    opening: OffsetRange | None = None

    @classmethod
    def none(cls, ranges: Sequence[OffsetRange]) -> StreamProgress:
        """Return the progress at the beginning of *ranges*."""
        return cls(tuple(ranges), StreamCounts(sum(map(len, ranges)), 0, 0))


def is_of(batch: RecordBatch, place: OffsetRange) -> bool:
    """Say whether *batch*, which is part of one range, is part of this one."""
    return (
        batch.topic == place.topic
        and batch.partition == place.partition
        and place.start <= batch.offsets[0] < place.end
    )


def behind(
    rest: tuple[OffsetRange, ...], batch: RecordBatch
) -> tuple[OffsetRange, tuple[OffsetRange, ...]]:
    """
    Return the range of *rest* that *batch* is part of, and what remains behind it.

    Raises:
        ValueError: There is no such range.
    """
    for index, place in enumerate(rest):
        if is_of(batch, place):
            later = rest[index + 1 :]
            cut = evolve(place, start=batch.offsets[-1] + 1)
            return place, ((cut, *later) if len(cut) else later)
    raise ValueError(f"{batch.place(0)}: not in what remained of the stream")


@frozen
class LivePosition:
    """
    A place in a topic that is still being written.

    Attributes:
        topic: The topic's name.

        offsets: The next offset of each partition; one that is not named is new, and
            counts from its first offset, 0.

        log: Tells the topic from a later one of the same name, if the broker does.
    """

    topic: str
    offsets: Mapping[int, int] = field(factory=dict)
    log: str = ""

    def at(self, partition: int, offset: int) -> LivePosition:
        """Return the place with another next offset of *partition*."""
        return evolve(self, offsets={**self.offsets, partition: offset})


@frozen
class Opening:
    """
    The record that settled what the format leaves open, for the next process's decoder.

    It is kept itself: the topic may have lost it by then.

    Attributes:
        key: In hexadecimal digits.

        value: Likewise.
    """

    key: str
    value: str

    @classmethod
    def of(cls, records: RecordBatch, decoded: Decoded) -> Opening | None:
        """Return the first of *records* that did decode, if there is one."""
        bad = {rejected.index for rejected in decoded.rejected}
        for index in range(len(records)):
            if index not in bad:
                key, value = records.keys[index], records.values[index]
                return cls(bytes(key).hex(), bytes(value).hex())
        return None

    def records(self, topic: str) -> RecordBatch:
        """Return it as the only record of a batch of *topic*."""
        key, value = bytes.fromhex(self.key), bytes.fromhex(self.value)
        columns = BinaryColumn.pack([key]), BinaryColumn.pack([value])
        return RecordBatch(topic, 0, range(1), *columns)


@frozen
class LiveStreamProgress:
    """
    How far a stream has been read that is still being written.

    Attributes:
        position: What comes next.

        counts: What came before that; of offsets, those that held a record.

        first_rejected: The place of the first bad record and what is wrong with it;
            empty as long as there is none.

        opening: The first good record, if there was one.
    """

    position: LivePosition
    counts: StreamCounts = field(factory=lambda: StreamCounts(0, 0, 0))
    first_rejected: str = ""
    opening: Opening | None = None


@frozen
class LiveProgress:
    """
    How far a training has got on a stream that is still being written.

    Attributes:
        stream: What it was trained on so far, mini-batch after mini-batch.

        mini_batches: How many these were.

        epochs: How many epochs the last one took.

        reference: The monitored metric that a better model must improve.

        improvements: How many better models there were.

        undelivered: The report of the last of these, until it was accepted.
    """

    stream: LiveStreamProgress
    mini_batches: int = 0
    epochs: int = 0
    reference: float | None = None
    improvements: int = 0
    undelivered: TrainingReport | None = None


@frozen
class LabellingProgress:
    """
    How far a model has got that labels examples itself.

    Attributes:
        counts: How many it labelled, time after time.

        rows: Where these are in the spool of the labelled stream, behind its own: the
            first position of each run of them, and that behind its last.

        epochs: How many epochs it had been trained for when the present training began.

        example: The labelled record that stands in for the keys of the others, if it
            has to be known later.
    """

    counts: tuple[int, ...] = ()
    rows: tuple[tuple[int, int], ...] = ()
    epochs: int = 0
    example: Opening | None = None


@frozen
class TrainingProgress:
    """
    How far a training has got.

    Attributes:
        history: The epochs that are complete.

        steps: Training steps done of the epoch after these.

        examples: Number of examples that the parts were cut from.

        seconds: How long it took.

        live: How far it got on a stream that is still being written.

        labelling: What the model has labelled itself.
    """

    history: History = ()
    steps: int = 0
    examples: int = 0
    seconds: float = 0.0
    live: LiveProgress | None = None
    labelling: LabellingProgress | None = None
