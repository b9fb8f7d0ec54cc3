"""How far a job has got, for another process that is to go on from there."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from domain.batches import RecordBatch
from domain.offsets import OffsetRange
from domain.report import History, StreamCounts


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
class TrainingProgress:
    """
    How far a training has got.

    Attributes:
        history: The epochs that are complete.

        steps: Training steps done of the epoch after these.

        examples: Number of examples that the parts were cut from.

        seconds: How long it took.
    """

    history: History = ()
    steps: int = 0
    examples: int = 0
    seconds: float = 0.0
