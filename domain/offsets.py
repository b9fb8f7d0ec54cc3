"""Stretches of partitions: as a control message asks for them, and as they are read."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen


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

        log: Tells the topic from a later one of the same name, if the broker does.
    """

    topic: str
    partition: int
    start: int
    end: int
    log: str = field(default="", eq=False, repr=False)

    def __len__(self) -> int:
        """Count the offsets, an upper bound on the records."""
        return self.end - self.start

    def __str__(self) -> str:
        """Name the place as log and error messages do."""
        return _place(self.topic, self.partition, self.start, self.end)


def overlaps(ranges: Sequence[RequestedRange]) -> list[str]:
    """Name the ranges that share offsets: no record is to count twice."""
    found = []
    reach: RequestedRange | None = None  # of those so far, the one that ends last
    for wanted in sorted(ranges, key=lambda r: (r.topic, r.partition, r.start)):
        if wanted.start == wanted.end:
            continue
        if reach and (reach.topic, reach.partition) == (wanted.topic, wanted.partition):
            if reach.end is None or wanted.start < reach.end:
                found.append(f"{reach} and {wanted}: overlap")
            if reach.end is None or (wanted.end and wanted.end <= reach.end):
                continue
        reach = wanted
    return found


def _place(topic: str, partition: int, start: int, end: int | None) -> str:
    return f"{topic}[{partition}]@{start}..{'' if end is None else end}"
