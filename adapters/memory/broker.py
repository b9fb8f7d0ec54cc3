"""A broker in memory: topics as lists, nothing lost, nothing asynchronous."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Condition
from typing import TypeVar

from attrs import define, evolve, field

from adapters.wire.control_message import parse_key, parse_request
from domain.batches import BinaryColumn, RecordBatch
from domain.errors import StreamUnreadable
from domain.offsets import OffsetRange, RequestedRange, overlaps
from domain.progress import LivePosition
from domain.request import ControlMessage
from ports import ControlSource, Followed, LiveStream, StreamSource

log = logging.getLogger(__name__)

T = TypeVar("T")

Record = tuple[bytes | None, bytes | None]
"""Key and value."""


@define
class _Partition:
    low: int = 0
    records: list[Record] = field(factory=list)  # from offset 0 on, deleted ones too
    timestamps: list[int] = field(factory=list)  # of the records

    @property
    def high(self) -> int:
        return len(self.records)


@define(eq=False)
class MemoryBroker(ControlSource, StreamSource, LiveStream):
    """
    All sources, over topics that `produce` fills; any thread may.

    Attributes:
        control_topic: The topic that is read for control messages.

        batch_size: Number of records in a batch, at most.

        patience: Seconds that more control messages, and records that are not there
            yet, are waited for.  Then `messages` ends, where a real broker's goes on,
            and `follow` says that nothing comes.
    """

    control_topic: str = "control"
    batch_size: int = 1000
    patience: float = 0.0
    _topics: dict[str, list[_Partition]] = field(factory=dict, init=False)
    _ids: dict[str, str] = field(factory=dict, init=False)
    _changed: Condition = field(factory=Condition, init=False)

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make a topic, or add partitions to it."""
        with self._changed:
            there = self._topics.setdefault(topic, [])
            self._ids.setdefault(topic, uuid.uuid4().hex)
            there += [_Partition() for _ in range(partitions - len(there))]
            self._changed.notify_all()

    def produce(
        self,
        topic: str,
        *records: Record,
        partition: int = 0,
        timestamp: int | None = None,
    ) -> int:
        """
        Append (key, value) *records*; topic and partition are made if need be.

        Their time, in milliseconds since 1970, is now or *timestamp*.  Returns the
        offset of the first one.
        """
        self.create(topic, partition + 1)
        sent = time.time_ns() // 1_000_000 if timestamp is None else timestamp
        with self._changed:
            there = self._topics[topic][partition]
            start = there.high
            there.records += records
            there.timestamps += [sent] * len(records)
            self._changed.notify_all()
        return start

    def partitions(self, topic: str) -> int:
        """Count the partitions of *topic*; none if it does not exist."""
        return len(self._topics.get(topic, ()))

    def delete(self, topic: str) -> None:
        """Delete a topic with all that is in it."""
        with self._changed:
            del self._topics[topic], self._ids[topic]

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        """Delete the records before an offset, as retention does."""
        with self._changed:
            self._topics[topic][partition].low = before

    def messages(self) -> Iterator[ControlMessage]:
        """Yield every control message; see the port, and `patience`."""
        topic = self.control_topic
        if topic not in self._topics:
            log.info("waiting for the control topic", extra={"topic": topic})
        seen: dict[int, int] = {}
        while news := self._wait(lambda: self._after(topic, seen)):
            for number, offset, record in news:
                seen[number] = offset + 1
                yield self._control_message(number, offset, record)

    def present(self) -> Iterator[ControlMessage] | None:
        """Return the control messages that are there now; see the port."""
        if self.control_topic not in self._topics:
            return None
        there = self._after(self.control_topic, {})
        return (self._control_message(*message) for message in there)

    def _control_message(
        self, number: int, offset: int, record: Record
    ) -> ControlMessage:
        key, value = record
        return ControlMessage(
            deployment_id=parse_key(key),
            position=f"{self.control_topic}[{number}]@{offset}",
            open=partial(parse_request, value),
            timestamp=self._topics[self.control_topic][number].timestamps[offset],
        )

    def resolve(self, ranges: Sequence[RequestedRange]) -> tuple[OffsetRange, ...]:
        """Return *ranges* with open ends closed; see the port."""
        if faults := list(filter(None, map(self._fault, ranges))):
            log.info("waiting for records", extra={"reason": "; ".join(faults)})
        self._wait(lambda: not any(map(self._fault, ranges)))
        if faults := [*overlaps(ranges), *filter(None, map(self._fault, ranges))]:
            raise StreamUnreadable("; ".join(faults))
        return tuple(
            OffsetRange(
                wanted.topic,
                wanted.partition,
                wanted.start,
                self._topics[wanted.topic][wanted.partition].high
                if wanted.end is None
                else wanted.end,
                self._ids[wanted.topic],
            )
            for wanted in ranges
        )

    def read(self, ranges: Sequence[OffsetRange]) -> Iterator[RecordBatch]:
        """Read the records of *ranges*; see the port."""
        for wanted in ranges:
            for start in range(wanted.start, wanted.end, self.batch_size):
                end = min(start + self.batch_size, wanted.end)
                rest = OffsetRange(wanted.topic, wanted.partition, start, wanted.end)
                if fault := self._fault(rest):
                    raise StreamUnreadable(fault)
                found = self._topics[wanted.topic][wanted.partition].records[start:end]
                yield _batch(wanted.topic, wanted.partition, start, found)

    def begin(self, topic: str, timestamp: int) -> LivePosition:
        """Return the place of the first records of *timestamp*; see the port."""
        with self._changed:
            offsets = {}
            for number, there in enumerate(self._topics.get(topic, ())):
                sent = there.timestamps[there.low :]
                found = (o for o, at in enumerate(sent, there.low) if at >= timestamp)
                offsets[number] = next(found, there.high)
            return LivePosition(topic, offsets, self._ids.get(topic, ""))

    def follow(self, position: LivePosition) -> Iterator[Followed]:
        """Yield what comes from *position* on; see the port, and `patience`."""
        topic = position.topic
        while True:
            news = self._wait(partial(self._next, position))
            if position.log and self._ids.get(topic) != position.log:
                raise StreamUnreadable(f"{topic}: deleted, or made again meanwhile")
            position = evolve(position, log=self._ids.get(topic, ""))
            if news is None:
                yield Followed(_batch(topic, 0, 0, ()), position)
                continue
            number, start = news
            there = self._topics[topic][number]
            if start < there.low:
                raise StreamUnreadable(
                    f"{topic}[{number}]@{start}: {there.low - start} offsets are gone, "
                    f"the partition starts at {there.low} and ends at {there.high}"
                )
            found = there.records[start : start + self.batch_size]
            position = position.at(number, start + len(found))
            yield Followed(_batch(topic, number, start, found), position, there.high)

    def _next(self, position: LivePosition) -> tuple[int, int] | None:
        """Return partition and offset of something that is new behind *position*."""
        for number, there in enumerate(self._topics.get(position.topic, ())):
            start = position.offsets.get(number, 0)
            if start < there.high:
                return number, start
        return None

    def _after(self, topic: str, seen: dict[int, int]) -> list[tuple[int, int, Record]]:
        """Return what is new in *topic*: partition, offset, record."""
        return [
            (number, offset, there.records[offset])
            for number, there in enumerate(self._topics.get(topic, ()))
            for offset in range(max(there.low, seen.get(number, 0)), there.high)
        ]

    def _fault(self, wanted: RequestedRange | OffsetRange) -> str | None:
        """Say what is wrong with *wanted*, if anything is."""
        there = dict(enumerate(self._topics.get(wanted.topic, ()))).get(
            wanted.partition
        )
        end = wanted.start if wanted.end is None else wanted.end
        if there is None:
            return f"{wanted}: no such topic or partition"
        if wanted.start > end:
            return f"{wanted}: starts after its end"
        if wanted.start < there.low or max(wanted.start, end) > there.high:
            return (
                f"{wanted}: not there, "
                f"the partition starts at {there.low} and ends at {there.high}"
            )
        return None

    def _wait(self, ask: Callable[[], T]) -> T:
        """Ask until the answer is not empty or patience is over."""
        give_up_at = time.monotonic() + self.patience
        with self._changed:
            while not (answer := ask()) and time.monotonic() < give_up_at:
                self._changed.wait(give_up_at - time.monotonic())
            return answer


def _batch(
    topic: str, partition: int, start: int, found: Sequence[Record]
) -> RecordBatch:
    return RecordBatch(
        topic=topic,
        partition=partition,
        offsets=range(start, start + len(found)),
        keys=BinaryColumn.pack([key for key, _ in found]),
        values=BinaryColumn.pack([value for _, value in found]),
    )
