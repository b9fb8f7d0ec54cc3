"""What was trained on, as a report says it."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from domain.report import StageSeconds, StreamCounts


@frozen
class Wanted:
    """
    What the control message named.

    Attributes:
        topic: The topic's name.

        partition: The partition; None for all of a topic that is followed.

        start: The first offset, if it was named.

        end: The offset after the last one, if it was named.

        labelled: Whether its records have labels.
    """

    topic: str
    partition: int | None = None
    start: int | None = None
    end: int | None = None
    labelled: bool = True


@frozen
class Partition:
    """
    What was read of one partition.

    Attributes:
        topic: The topic's name.

        partition: The partition's number.

        first: Offset of the first record.

        next: The offset behind the last record.

        records: Records that came.

        rejected: Records of them that did not decode.

        bytes: Of their keys and values.

        missing: Offsets in between that hold no record.

        gaps: Where most of these are: the first offset of each gap, and that behind it.
    """

    topic: str
    partition: int
    first: int
    next: int
    records: int
    rejected: int
    bytes: int
    missing: int
    gaps: tuple[tuple[int, int], ...] = ()


@frozen
class Data:
    """
    What was trained on.

    Attributes:
        format: The records' format.

        options: The format's own.

        announced: Records that the sender counted.

        validation_rate: Share of the records for validation.

        test_rate: Share of the records for the test.

        wanted: What the control message named.

        expected: Offsets of that which are bounded.

        before: Offsets of these that another process had read.

        partitions: What was read in this process.

        counts: Offsets that were passed, records that decoded, and those that did not,
            of the stream as a whole.

        bytes: Of keys and values that were read in this process.

        seconds: Where the reading's time went.

        records_per_second: How fast it was.

        parts: Examples in training, validation and test part.
    """

    format: str
    options: Mapping[str, str]
    announced: int | None
    validation_rate: float
    test_rate: float
    wanted: tuple[Wanted, ...]
    expected: int
    before: int
    partitions: tuple[Partition, ...]
    counts: StreamCounts
    bytes: int
    seconds: StageSeconds
    records_per_second: float | None = None
    parts: Mapping[str, int] = field(factory=dict)
