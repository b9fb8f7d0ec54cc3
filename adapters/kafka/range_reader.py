"""Reads one range of a partition to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from attrs import define, field
from confluent_kafka import Message, TopicPartition

from adapters.kafka.client import Client
from adapters.kafka.errors import PARTITION_EOF, final
from adapters.kafka.partition_log import PartitionLog
from adapters.kafka.settings import KafkaSettings
from domain.batches import BinaryColumn, RecordBatch
from domain.errors import StreamUnreadable, Unavailable
from domain.offsets import OffsetRange

BATCH_RECORDS = 10_000
BATCH_BYTES = 16 << 20
CHUNK = 256
"""Records taken from librdkafka at once, at most: enough to make the call cheap."""

RECORD_BYTES = 1 << 20
"""Size of a record as long as nothing is known: the largest that brokers take unless
they are told otherwise."""

LINGER = 0.1
"""Seconds that a chunk may take to fill up."""

STALL = 1.0
"""Seconds without progress after which the reason is looked for."""


@define
class RangeReader:
    """
    One reading of one range.

    Attributes:
        client: Its consumer has nothing else to do meanwhile.

        wanted: Not empty, and known to start where the partition has offsets.

        position: The next offset; everything before it has been handed on or holds no
            record.
    """

    client: Client
    settings: KafkaSettings
    wanted: OffsetRange
    position: int = field(init=False)
    _moved_at: float = field(init=False, factory=time.monotonic)
    _asked_at: float = field(init=False, factory=time.monotonic)
    _record_bytes: float = field(init=False, default=RECORD_BYTES)

    def __attrs_post_init__(self) -> None:
        self.position = self.wanted.start

    def batches(self) -> Iterator[RecordBatch]:
        """Read the range once."""
        wanted, consumer = self.wanted, self.client.consumer
        consumer.assign([TopicPartition(wanted.topic, wanted.partition, wanted.start)])
        batch: list[Message] = []
        size = 0
        while self.position < wanted.end:
            fitting = max(1, int((BATCH_BYTES - size) / self._record_bytes))
            asked = min(CHUNK, fitting, wanted.end - self.position)
            messages = consumer.consume(asked, LINGER)
            records = [message for message in messages if message.error() is None]
            self._advance(messages, records, asked)
            batch += records
            size += self._weigh(records)
            more_is_coming = len(records) == asked and self.position < wanted.end
            if more_is_coming and len(batch) < BATCH_RECORDS and size < BATCH_BYTES:
                continue
            if packed := _pack(wanted, batch):
                yield packed
                self._moved_at = time.monotonic()  # the pause was not the brokers'
            batch, size = [], 0

    def _advance(
        self, messages: Sequence[Message], records: Sequence[Message], asked: int
    ) -> None:
        """Move on; offsets without a record are passed over without a message."""
        before = self.position
        if records:
            self.position = (records[-1].offset() or 0) + 1
        if len(records) < asked:
            for message in messages:
                self._take_news(message)
            self.position = max(self.position, self._consumer_position())
        if self.position > before:
            self._moved_at = time.monotonic()
            self.client.brokers.heard()
        elif time.monotonic() - max(self._moved_at, self._asked_at) > STALL:
            self._ask_why()
            self._asked_at = time.monotonic()

    def _weigh(self, records: Sequence[Message]) -> int:
        """Return the size of *records* in bytes; the next ones may be like them."""
        size = sum(map(len, records))
        if records:
            self._record_bytes = max(1.0, size / len(records))
        return size

    def _consumer_position(self) -> int:
        """
        Ask librdkafka how far it got.

        Transaction markers and aborted records move it, and are never delivered.
        """
        place = TopicPartition(self.wanted.topic, self.wanted.partition)
        (reached,) = self.client.consumer.position([place])
        return reached.offset  # negative before the first record

    def _take_news(self, message: Message) -> None:
        error = message.error()
        if error is None:
            return
        if error.code() == PARTITION_EOF:
            self.position = max(self.position, message.offset() or 0)
            return
        reason = final(error, str(self.wanted))
        if reason is None:
            self.client.brokers.missed(error)
            return
        self._ask_why()  # which may say it better
        raise reason

    def _ask_why(self) -> None:
        """
        Look why nothing comes.

        Raises:
            StreamUnreadable: It is gone, or was not written in time.

            Unavailable: The brokers stayed away, or answer without serving it.
        """
        wanted, stalled = self.wanted, time.monotonic() - self._moved_at
        partitions = self.client.partitions(wanted.topic)
        if partitions is None:
            return
        if wanted.partition not in partitions:
            raise StreamUnreadable(f"{wanted}: the partition was deleted")
        watermarks = self.client.watermarks(wanted.topic, wanted.partition)
        if watermarks is None:
            return
        log = PartitionLog(*watermarks)
        rest = OffsetRange(wanted.topic, wanted.partition, self.position, wanted.end)
        if reason := log.hopeless(rest):
            raise StreamUnreadable(reason)
        reason = log.missing(rest)
        if reason and stalled > self.settings.streamfit_stream_deadline:
            raise StreamUnreadable(reason)
        if not reason and stalled > self.settings.streamfit_broker_deadline:
            raise Unavailable(f"{rest}: no record for {stalled:.0f} seconds")


def _pack(wanted: OffsetRange, messages: Sequence[Message]) -> RecordBatch | None:
    """Lay end to end what there is of *wanted* in *messages*, if anything."""
    if messages and (messages[-1].offset() or 0) >= wanted.end:
        messages = [m for m in messages if (m.offset() or 0) < wanted.end]
    if not messages:
        return None
    return RecordBatch(
        topic=wanted.topic,
        partition=wanted.partition,
        offsets=[message.offset() or 0 for message in messages],
        keys=BinaryColumn.pack([message.key() for message in messages]),
        values=BinaryColumn.pack([message.value() for message in messages]),
    )
