"""Where records come from that are still being written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from attrs import frozen

from domain.batches import RecordBatch
from domain.progress import LivePosition


@frozen
class Followed:
    """
    What came next in a topic.

    Attributes:
        records: Of one partition; none if nothing comes.

        position: Where the topic is to be followed from behind them.

        end: The end of their partition, as far as is known without asking for it.
    """

    records: RecordBatch
    position: LivePosition
    end: int | None = None


class LiveStream(Protocol):
    """A topic that is still being written, read by position, without a group."""

    def begin(self, topic: str, timestamp: int) -> LivePosition:
        """
        Return the place of the first records as old as *timestamp*, or younger.

        That is the first such offset of every partition, and the end of those where
        there is none; a topic that does not exist yet is followed from its beginning.

        Args:
            topic: The topic's name.

            timestamp: In milliseconds since 1970, by the clock of whoever writes it.

        Raises:
            Unavailable: The broker stayed away.

            DeploymentInvalid: The broker refuses to let us read.
        """
        ...

    def follow(self, position: LivePosition) -> Iterator[Followed]:
        """
        Yield what comes from *position* on, of all partitions, without end.

        The records of a partition keep their order.  Partitions that are added are read
        from their beginning.  Offsets without a record (compaction, transaction
        markers) are passed over, and records of open transactions waited for.  While
        nothing comes, no records are yielded every second or so: then every record that
        may be read was yielded before.  A broker that stays away is no such silence.
        Closing the iterator releases what it holds.

        Raises:
            StreamUnreadable: Offsets are gone, for instance by retention, which has
                overtaken us; or the topic was deleted, and maybe made again.

            Unavailable: The broker stayed away.

            DeploymentInvalid: The broker refuses to let us read.
        """
        ...
