"""What there is of a partition, compared with what is wanted of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from attrs import frozen

from adapters.kafka.client import Client
from domain.offsets import OffsetRange, RequestedRange

AnyRange = RequestedRange | OffsetRange


@frozen
class PartitionLog:
    """
    The readable stretch of a partition.

    Attributes:
        low: Its first offset.

        high: The offset after its last one; open transactions lie behind it.

        exists: Whether there is such a partition at all.
    """

    low: int
    high: int
    exists: bool = True

    def hopeless(self, wanted: AnyRange) -> str | None:
        """Say why *wanted* will never be there, if so."""
        if not self.exists:
            return f"{wanted}: no such topic or partition"
        if wanted.end is not None and wanted.start > wanted.end:
            return f"{wanted}: starts after its end"
        if wanted.start < self.low:
            end = self.low if wanted.end is None else min(wanted.end, self.low)
            return (
                f"{wanted}: {end - wanted.start} offsets are gone, "
                f"the partition starts at {self.low} and ends at {self.high}"
            )
        if wanted.end is None and wanted.start > self.high:
            return f"{wanted}: starts after the partition's end, {self.high}"
        return None

    def missing(self, wanted: AnyRange) -> str | None:
        """Say how much of *wanted* is not there yet, if so."""
        if wanted.end is None or wanted.end <= self.high:
            return None
        missing = wanted.end - max(self.high, wanted.start)
        return (
            f"{wanted}: {missing} offsets are not there yet, "
            f"the partition starts at {self.low} and ends at {self.high}"
        )

    def close(self, wanted: RequestedRange, topic_id: str) -> OffsetRange:
        """Give *wanted* an end, in the topic of that id."""
        end = self.high if wanted.end is None else wanted.end
        return OffsetRange(wanted.topic, wanted.partition, wanted.start, end, topic_id)


NOWHERE = PartitionLog(0, 0, exists=False)

Logs = dict[tuple[str, int], PartitionLog]
"""By topic and partition."""


def find_logs(client: Client, ranges: Iterable[AnyRange]) -> Logs:
    """
    Look up the partitions of *ranges*, and wait for brokers that are away.

    The client must have nothing assigned.

    Raises:
        Unavailable: The brokers have been away for too long.

        DeploymentInvalid: They refuse to tell.
    """
    places = dict.fromkeys((r.topic, r.partition) for r in ranges)
    partitions = {
        topic: client.insist(partial(client.partitions, topic))
        for topic in dict.fromkeys(topic for topic, _ in places)
    }
    return {
        (topic, partition): PartitionLog(
            *client.insist(partial(client.watermarks, topic, partition))
        )
        if partition in partitions[topic]
        else NOWHERE
        for topic, partition in places
    }
