"""A stream on its way into a spool, while others already read from it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Self

from attrs import define, evolve, field, frozen

from domain.bad_records import BadRecordPolicy
from domain.batches import Decoded, ElementSpec, ExampleBatch, RecordBatch
from domain.events import Listener, ignore
from domain.offsets import OffsetRange
from domain.progress import StreamProgress, behind, is_of
from domain.rejecting import records_read, set_aside, told
from domain.report import StageSeconds, StreamCounts
from ports import Decoder, RejectedRecords, Spool

log = logging.getLogger(__name__)


class StreamShorter(Exception):
    """The stream holds fewer examples than it was thought to."""


@define(eq=False)
class Intake:
    """
    Reads a stream into a spool, once, on a thread of its own.

    Enter it to start reading; leaving it ends the thread and closes the spool.

    Attributes:
        read: Start reading the rest of the stream, as *progress* names it.

        progress: How far it was read before; if the rest begins with the opening, that
            is only decoded.  If nothing remains, nothing is read, and the spool may
            hold more than the stream.

        decoder: Makes examples of its records.

        spool: Keeps them.

        bad_records: How many of them may be bad.

        rejected_records: Where bad ones are kept, if the policy diverts them.

        on_event: Is told of records, on the reading thread.

        clock: Seconds from any fixed point.
    """

    read: Callable[[], Iterator[RecordBatch]]
    progress: StreamProgress
    decoder: Decoder
    spool: Spool
    bad_records: BadRecordPolicy
    rejected_records: RejectedRecords | None = None
    on_event: Listener = ignore
    clock: Callable[[], float] = time.perf_counter
    _seconds: StageSeconds = field(factory=StageSeconds, init=False)
    _examples: int = field(init=False)
    _rejected: int = field(init=False)
    _first_rejected: str = field(init=False)
    _opening: OffsetRange | None = field(init=False)
    _rest: tuple[OffsetRange, ...] = field(init=False)
    _ended: bool = field(default=False, init=False)
    _abandoned: bool = field(default=False, init=False)
    _error: Exception | None = field(default=None, init=False)
    _news: threading.Condition = field(factory=threading.Condition, init=False)
    _thread: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        progress, counts = self.progress, self.progress.counts
        added = len(self.spool) - counts.examples
        if added < 0 or (added and progress.rest):
            raise ValueError(
                f"{len(self.spool)} examples in a spool of {counts.examples}"
            )
        self._examples, self._rejected = counts.examples, counts.rejected
        self._first_rejected = progress.first_rejected
        self._opening = progress.opening
        self._rest = tuple(filter(len, progress.rest))

    def __enter__(self) -> Self:
        """Start reading."""
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()
        if not self.progress.rest:
            self._thread.join()  # it has ended by now
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop reading, even in the middle, and give the spool back."""
        self._abandoned = True
        self._thread.join()
        self.spool.close()

    @property
    def offsets(self) -> int:
        """Number of offsets in the stream, an upper bound on its records."""
        return self.progress.counts.offsets

    @property
    def counts(self) -> StreamCounts:
        """What came so far."""
        return StreamCounts(self.offsets, self._examples, self._rejected)

    @property
    def seconds(self) -> StageSeconds:
        """Where the time went so far."""
        return self._seconds

    def wait(self, examples: int) -> bool:
        """
        Wait until so many *examples* are in the spool.

        Returns:
            False if the stream has ended with fewer.

        Raises:
            ServiceError: Reading failed; whatever came out of source, decoder or spool.
        """
        started = self.clock()
        with self._news:
            self._news.wait_for(lambda: self._ended or self._examples >= examples)
        self._seconds.wait += self.clock() - started
        if self._error is not None:
            raise self._error
        return self._examples >= examples

    def finish(self) -> int:
        """
        Wait for the end and return the number of examples.

        Raises:
            ServiceError: Reading failed.
        """
        self.wait(self.offsets + 1)  # more than can come
        return self._examples

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended

    def note_added(self) -> None:
        """Note examples that others put into the spool, behind those of the stream."""
        self._note(())

    def _run(self) -> None:
        try:
            self._fill()
        except Exception as error:  # noqa: BLE001  # the readers raise it
            self._error = error
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _fill(self) -> None:
        """Read to the end, or until nobody wants any more."""
        if self.progress.rest:
            self._read()
        if self._abandoned:
            return
        self._bear(self._examples + self._rejected)
        if self.progress.rest:
            self._note(())

    def _read(self) -> None:
        batches = self.read()
        try:
            while not self._abandoned and (batch := self._fetch(batches)) is not None:
                if len(batch):  # an empty one only says that nothing comes
                    self._take(batch)
        finally:
            if isinstance(batches, Generator):  # which holds connections
                batches.close()

    def _take(self, batch: RecordBatch) -> None:
        place, self._rest = behind(self._rest, batch)
        decoded = self._decode(batch)
        if self.progress.opening and is_of(batch, self.progress.opening):
            return  # another process took it
        if decoded.rejected:
            self._reject(batch, decoded)
        if self._opening is None and len(decoded.examples):
            first, last = batch.offsets[0], batch.offsets[-1]
            self._opening = evolve(place, start=first, end=last + 1)
        self._keep(decoded.examples)
        self.on_event(records_read(batch, decoded))
        if self._rest:  # else the end is next, if it turns out well
            self._note(self._rest)

    def _fetch(self, batches: Iterator[RecordBatch]) -> RecordBatch | None:
        started = self.clock()
        batch = next(batches, None)
        self._seconds.fetch += self.clock() - started
        return batch

    def _decode(self, batch: RecordBatch) -> Decoded:
        started = self.clock()
        decoded = self.decoder.decode(batch)
        self._seconds.decode += self.clock() - started
        return decoded

    def _keep(self, examples: ExampleBatch) -> None:
        started = self.clock()
        self.spool.append(examples)
        self._seconds.spool += self.clock() - started
        with self._news:
            self._examples += len(examples)
            self._news.notify_all()

    def _reject(self, batch: RecordBatch, decoded: Decoded) -> None:
        """Count the bad records of *batch*, and keep them elsewhere if wanted."""
        self._first_rejected = self._first_rejected or told(batch, decoded)
        self._rejected += len(decoded.rejected)
        self._bear(self.offsets)
        set_aside(batch, decoded, self.bad_records, self.rejected_records)

    def _note(self, rest: tuple[OffsetRange, ...]) -> None:
        started = self.clock()
        self.spool.note(
            StreamProgress(rest, self.counts, self._first_rejected, self._opening)
        )
        self._seconds.spool += self.clock() - started

    def _bear(self, total: int) -> None:
        self.bad_records.bear(self._rejected, total, self._first_rejected)


@frozen
class Part:
    """
    A contiguous part of a stream: the Dataset that trainers read.

    Reading waits for examples that are still on their way.

    Attributes:
        stream: Where the examples are.

        rows: Their positions.

        whole: Number of examples that the parts were cut from; if fewer come, the parts
            must be cut anew.
    """

    stream: Intake
    rows: range
    whole: int

    @property
    def element_spec(self) -> ElementSpec:
        """What every example looks like."""
        self._wait(1)
        return self.stream.spool.element_spec

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.rows)

    def batches(
        self,
        size: int,
        epoch: int = 0,  # noqa: ARG002
        start: int = 0,
    ) -> Iterator[ExampleBatch]:
        """
        Read the examples afresh, *size* at a time; the last batch may be short.

        Their order is that of the stream in every *epoch*, from *start* on.

        Raises:
            StreamShorter: There are not as many.
        """
        for first in range(self.rows.start + start, self.rows.stop, size):
            stop = min(first + size, self.rows.stop)
            self._wait(stop)
            yield self.stream.spool.read(first, stop)

    def _wait(self, examples: int) -> None:
        enough = self.stream.wait(examples)
        if not enough or (self.stream.ended and not self.stream.wait(self.whole)):
            raise StreamShorter
