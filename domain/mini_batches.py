"""A stream without an end, in mini-batches of examples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from attrs import define, evolve, field, frozen

from domain.bad_records import BadRecordPolicy
from domain.batches import BinaryColumn, Decoded, RecordBatch
from domain.events import Listener, ignore
from domain.progress import LivePosition, LiveStreamProgress, Opening
from domain.rejecting import records_read, set_aside, told
from domain.report import StreamCounts
from ports import Decoder, Followed, RejectedRecords, Spool, SpoolFactory

log = logging.getLogger(__name__)


@frozen
class Pace:
    """
    When a mini-batch is complete, and when a stream has ended.

    Attributes:
        records: As many are a mini-batch.

        patience: Seconds without a record after which fewer are one, too.

        timeout: Seconds without a record after which the stream has ended; None for
            never.
    """

    records: int = 10_000
    patience: float = 10.0
    timeout: float | None = None

    @classmethod
    def of(cls, records: int, patience: float, milliseconds: int) -> Pace:
        """Return the pace of the platform's time-out, where -1 is never."""
        if milliseconds < 0:
            return cls(records, patience)
        return cls(records, patience, max(milliseconds / 1000, patience))


@frozen
class MiniBatch:
    """
    Examples to train on in one go.

    Attributes:
        spool: Where they are; whoever takes them closes it.

        progress: How far the stream is then.
    """

    spool: Spool
    progress: LiveStreamProgress


@define(eq=False)
class MiniBatches:
    """
    Gathers records until they are enough, or no more come.

    Attributes:
        stream: What comes; no records while nothing does.

        progress: How far it was read before.

        pace: When a mini-batch is complete.

        decoder: Makes examples of the records.

        spool_for: Makes a spool for every mini-batch.

        bad_records: How many of the records may be bad.

        rejected_records: Where bad ones are kept, if the policy diverts them.

        clock: Seconds from any fixed point.

        on_event: Is told what comes.
    """

    stream: Iterator[Followed]
    progress: LiveStreamProgress
    pace: Pace
    decoder: Decoder
    spool_for: SpoolFactory
    bad_records: BadRecordPolicy
    rejected_records: RejectedRecords | None
    clock: Callable[[], float]
    on_event: Listener = ignore
    _silence: float = field(default=0.0, init=False)
    _left: Followed | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if self.progress.opening is not None:
            self._settle(self.progress.opening)

    def next(self) -> MiniBatch | None:
        """
        Wait for the next mini-batch.

        Only what is waited here counts as silence, and records that came meanwhile
        break it: a stream never ends because a training took long.

        Returns:
            None if the stream has ended.

        Raises:
            ServiceError: Reading failed, or too many records are bad.
        """
        spool = self.spool_for(self.pace.records)
        try:
            taken = self._fill(spool)
        except BaseException:
            spool.close()
            raise
        if taken:
            return MiniBatch(spool, self.progress)
        spool.close()
        return None

    def _fill(self, spool: Spool) -> int:
        """Take records into *spool*, and return how many, bad ones included."""
        taken = 0
        while taken < self.pace.records:
            followed = self._follow()
            records = followed.records
            if not len(records):
                self._go_on(followed.position)
                if taken and self._silence >= self.pace.patience:
                    break
                if not taken and self._is_over:
                    break
                continue
            room = self.pace.records - taken
            if len(records) > room:
                self._left = evolve(followed, records=_cut(records, room, len(records)))
                records = _cut(records, 0, room)
                self._go_on(
                    self.progress.position.at(
                        records.partition, records.offsets[-1] + 1
                    )
                )
            else:
                self._go_on(followed.position)
            self._take(records, spool, followed.end)
            taken += len(records)
        counts = self.progress.counts
        self._bear(counts.offsets)
        return taken

    @property
    def _is_over(self) -> bool:
        return self.pace.timeout is not None and self._silence >= self.pace.timeout

    def _follow(self) -> Followed:
        """Return what comes next, and measure the silence."""
        if self._left is not None:
            left, self._left = self._left, None
            return left
        began = self.clock()
        followed = next(self.stream)
        waited = self.clock() - began
        self._silence = 0.0 if len(followed.records) else self._silence + waited
        return followed

    def _go_on(self, position: LivePosition) -> None:
        self.progress = evolve(self.progress, position=position)

    def _take(self, records: RecordBatch, spool: Spool, end: int | None) -> None:
        decoded = self.decoder.decode(records)
        counts = self.progress.counts
        self.progress = evolve(
            self.progress,
            counts=StreamCounts(
                counts.offsets + len(records),
                counts.examples + len(decoded.examples),
                counts.rejected + len(decoded.rejected),
            ),
        )
        if decoded.rejected:
            self._reject(records, decoded)
        if self.progress.opening is None and len(decoded.examples):
            opening = Opening.of(records, decoded)
            self.progress = evolve(self.progress, opening=opening)
        spool.append(decoded.examples)
        self.on_event(records_read(records, decoded, end))

    def _settle(self, opening: Opening) -> None:
        """Let the decoder see what settled the format, once more."""
        self.decoder.decode(opening.records(self.progress.position.topic))

    def _reject(self, records: RecordBatch, decoded: Decoded) -> None:
        """Keep the bad ones among *records* elsewhere, if they are borne."""
        if not self.progress.first_rejected:
            self.progress = evolve(self.progress, first_rejected=told(records, decoded))
        if self.bad_records.share is None:  # else it is a matter of all so far
            self._bear(self.progress.counts.offsets)
        set_aside(records, decoded, self.bad_records, self.rejected_records)

    def _bear(self, total: int) -> None:
        rejected = self.progress.counts.rejected
        self.bad_records.bear(rejected, total, self.progress.first_rejected)


def _cut(records: RecordBatch, start: int, stop: int) -> RecordBatch:
    """Return the records from *start* up to *stop* (exclusive), as views."""
    return RecordBatch(
        records.topic,
        records.partition,
        records.offsets[start:stop],
        _cut_column(records.keys, start, stop),
        _cut_column(records.values, start, stop),
    )


def _cut_column(column: BinaryColumn, start: int, stop: int) -> BinaryColumn:
    first = column.ends[start - 1] if start else 0
    ends = [end - first for end in column.ends[start:stop]]
    last = first + (ends[-1] if ends else 0)
    return BinaryColumn(column.data[first:last], ends, column.width)
