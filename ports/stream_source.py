"""Where records come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from domain.batches import RecordBatch
from domain.offsets import OffsetRange, RequestedRange


class StreamSource(Protocol):
    """A broker's topics, as bytes at offsets."""

    def resolve(self, ranges: Sequence[RequestedRange]) -> tuple[OffsetRange, ...]:
        """
        Return *ranges*, in the same order, with open ends closed.

        An open end becomes the end of the partition as it is now.  Offsets that are not
        there yet are waited for, as long as the source's patience lasts.

        Raises:
            StreamUnreadable: A topic or partition does not exist, or offsets are no
                longer, or not yet, there.  Every such range is named.

            Unavailable: The broker stayed away.

            DeploymentInvalid: The broker refuses to let us read.
        """
        ...

    def read(self, ranges: Sequence[OffsetRange]) -> Iterator[RecordBatch]:
        """
        Read the records of *ranges*: range after range, in offset order.

        Each call reads afresh from the first range, at the pace of its consumer and on
        its consumer's thread: memory holds a few batches, however long the ranges are.
        A batch is as large as suits the source and never spans two ranges; while
        nothing comes, an empty one is yielded every second or so, which leaves the
        consumer the choice to give up.  Offsets without a record (compaction,
        transaction markers) are passed over.  A range is read to its end or not at all:
        it never yields fewer records than it holds.  Closing the iterator early
        releases what it holds.

        Raises:
            StreamUnreadable: A topic or partition does not exist, or offsets are no
                longer, or not yet, there.

            Unavailable: The broker stayed away.

            DeploymentInvalid: The broker refuses to let us read.
        """
        ...
