"""What a sender speaks of: records on their way, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen

from domain.batches import BinaryColumn
from domain.errors import ServiceError
from domain.offsets import OffsetRange
from domain.request import DecoderSpec

Stream = tuple[OffsetRange, ...] | str
"""Where records lie; or their topic's name, if they are still to come."""


class DataInvalid(ServiceError):
    """The data set cannot be sent as it is; the message names file and row."""


class InvalidExample(ValueError):
    """
    An example does not fit into its encoding.

    Attributes:
        index: Its position in the batch.

        reason: What is wrong.
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(index, reason)
        self.index = index
        self.reason = reason


@frozen
class OutgoingRecords:
    """
    Encoded examples on their way to a topic.

    Attributes:
        keys: The labels.

        values: The features.
    """

    keys: BinaryColumn
    values: BinaryColumn

    def __len__(self) -> int:
        """Count the records."""
        return len(self.values)


@define
class Placements:
    """
    The offsets that our own records have got, and nobody else's.

    Attributes:
        topic: The topic's name.
    """

    topic: str
    _runs: dict[int, list[list[int]]] = field(factory=dict, init=False)

    def add(self, partition: int, offset: int) -> None:
        """Note that a record of ours lies there."""
        runs = self._runs.setdefault(partition, [])
        if runs and runs[-1][1] == offset:
            runs[-1][1] = offset + 1
        else:
            runs.append([offset, offset + 1])

    def ranges(self) -> tuple[OffsetRange, ...]:
        """Return them as few ranges, in the order of partitions and offsets."""
        found: list[OffsetRange] = []
        for partition, runs in sorted(self._runs.items()):
            merged: list[list[int]] = []
            for start, end in sorted(runs):
                if merged and merged[-1][1] == start:
                    merged[-1][1] = end
                else:
                    merged.append([start, end])
            found += (
                OffsetRange(self.topic, partition, start, end) for start, end in merged
            )
        return tuple(found)


@frozen
class Announcement:
    """
    What the control topic is told of a data set (contract, section 3.2).

    Attributes:
        stream: The labelled records.

        decoder: How they are encoded, and those without labels, too.

        total_msg: How many records are labelled; None if they are still to come.

        validation_rate: Share of the records for validation, 0 to 1.

        test_rate: Share of the records for the test, 0 to 1.

        description: For people.

        unlabelled: The records without labels, if there are any.

        incremental: Whether some of the records are still to come.
    """

    stream: Stream
    decoder: DecoderSpec
    total_msg: int | None
    validation_rate: float = 0.0
    test_rate: float = 0.0
    description: str = ""
    unlabelled: Stream | None = None
    incremental: bool = False


@frozen
class Delivered:
    """
    How far a sending has got.

    Attributes:
        topic: Where the records go.

        records: How many have been accepted.

        size: Bytes of these, keys and values.
    """

    topic: str
    records: int
    size: int


DeliveryListener = Callable[[Delivered], None]
"""Called now and then while records are being sent, and once when all have arrived."""
