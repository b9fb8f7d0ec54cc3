"""Stretches of partitions: as a control message asks for them, and as they are read."""

from __future__ import annotations

from attrs import frozen


@frozen
class RequestedRange:
    """
    A stretch of one partition as a control message names it.

    Attributes:
        topic: The topic's name.

        partition: The partition's number.

        start: The first offset.

        end: The offset after the last one; None for the partition's end at the time
            that the request is taken up.
    """

    topic: str
    partition: int
    start: int
    end: int | None

    def __str__(self) -> str:
        """Name the place as log and error messages do."""
        return _place(self.topic, self.partition, self.start, self.end)


@frozen
class OffsetRange:
    """
    A bounded stretch of one partition, known to be there.

    It may hold fewer records than offsets: compaction leaves gaps, and transaction
    markers take offsets of their own.

    Attributes:
        topic: The topic's name.

        partition: The partition's number.

        start: The first offset.

        end: The offset after the last one.
    """

    topic: str
    partition: int
    start: int
    end: int

    def __len__(self) -> int:
        """Count the offsets, an upper bound on the records."""
        return self.end - self.start

    def __str__(self) -> str:
        """Name the place as log and error messages do."""
        return _place(self.topic, self.partition, self.start, self.end)


def _place(topic: str, partition: int, start: int, end: int | None) -> str:
    return f"{topic}[{partition}]@{start}..{'' if end is None else end}"
