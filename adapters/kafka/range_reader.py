"""Reads one range of a partition to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from attrs import define, field
from confluent_kafka import Message, TopicPartition

from adapters.kafka.client import Client
from adapters.kafka.errors import PARTITION_EOF, final
from adapters.kafka.partition_log import PartitionLog
from adapters.kafka.records import pack
from adapters.kafka.settings import KafkaSettings
from domain.batches import RecordBatch
from domain.errors import StreamUnreadable, Unavailable
from domain.offsets import OffsetRange

BATCH_RECORDS = 8000
BATCH_BYTES = 3 << 20
"""A batch is large enough to make its handling cheap, and small enough for caches."""

RECORD_BYTES = 16 << 10
"""Size of a record as long as nothing is known."""

LINGER = 0.1
"""Seconds that a batch may take to fill up."""

STALL = 1.0
"""Seconds without progress after which the reason is looked for, and an empty batch
handed on."""


@define
class RangeReader:
    """
    One reading of one range, which is fetched from now on.

    Attributes:
        wanted: Not empty.

        position: The next offset; everything before it has been handed on or holds no
            record.
    """

    settings: KafkaSettings
    wanted: OffsetRange
    position: int = field(init=False)
    _client: Client = field(init=False)
    _moved_at: float = field(init=False, default=0.0)
    _asked_at: float = field(init=False, default=0.0)
    _yielded_at: float = field(init=False, default=0.0)
    _record_bytes: float = field(init=False, default=RECORD_BYTES)

    def __attrs_post_init__(self) -> None:
        wanted = self.wanted
        self.position = wanted.start
        self._client = Client.open(
            self.settings,
            enable_partition_eof=True,
            # The end of a partition is told by an answer without records.
            fetch_wait_max_ms=20,
            fetch_queue_backoff_ms=10,
            queued_max_messages_kbytes=16 << 10,
        )
        self._client.consumer.assign(
            [TopicPartition(wanted.topic, wanted.partition, wanted.start)]
        )

    def close(self) -> None:
        """Stop fetching."""
        self._client.close()

    def batches(self) -> Iterator[RecordBatch]:
        """Read the range once."""
        wanted, consume = self.wanted, self._client.consumer.consume
        # It may have waited for its turn.
        self._moved_at = self._yielded_at = time.monotonic()
        while self.position < wanted.end:
            fitting = min(BATCH_RECORDS, int(BATCH_BYTES / self._record_bytes))
            asked = max(1, min(fitting, wanted.end - self.position))
            messages: Sequence[Message] = consume(asked, LINGER)
            news: list[Message] = []
            if any(map(Message.error, messages)):
                news = [message for message in messages if message.error()]
                messages = [message for message in messages if not message.error()]
            batch = pack(wanted, messages)
            self._advance(messages, news, asked)
            if batch:
                size = len(batch.keys.data) + len(batch.values.data)
                self._record_bytes = max(1.0, size / len(batch))
            elif time.monotonic() < self._yielded_at + STALL:
                continue
            del messages  # memory is taken once while the batch is handled
            before = time.monotonic()
            yield batch
            self._yielded_at = time.monotonic()
            self._moved_at += self._yielded_at - before  # that was not the brokers'

    def _advance(
        self, records: Sequence[Message], news: Sequence[Message], asked: int
    ) -> None:
        """Move on; offsets without a record are passed over without a message."""
        before = self.position
        if records:
            self.position = (records[-1].offset() or 0) + 1
        if len(records) < asked:
            for message in news:
                self._take_news(message)
            self.position = max(self.position, self._consumer_position())
        if self.position > before:
            self._moved_at = time.monotonic()
            self._client.brokers.heard()
            return
        self._client.brokers.require()
        if time.monotonic() - max(self._moved_at, self._asked_at) > STALL:
            self._ask_why()
            self._asked_at = time.monotonic()

    def _consumer_position(self) -> int:
        """
        Ask librdkafka how far it got.

        Transaction markers and aborted records move it, and are never delivered.
        """
        place = TopicPartition(self.wanted.topic, self.wanted.partition)
        (reached,) = self._client.consumer.position([place])
        return reached.offset  # negative before the first record

    def _take_news(self, message: Message) -> None:
        error = message.error()
        if error is None:
            return
        if error.code() == PARTITION_EOF:
            self.position = max(self.position, message.offset() or 0)
            return
        reason = final(error, f"{self.wanted}, at {self.position}")
        if reason is None:
            self._client.brokers.missed(error)
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
        partitions = self._client.partitions(wanted.topic)
        if partitions is None:
            return
        if wanted.partition not in partitions:
            raise StreamUnreadable(f"{wanted}: no such topic or partition any more")
        watermarks = self._client.watermarks(wanted.topic, wanted.partition)
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
