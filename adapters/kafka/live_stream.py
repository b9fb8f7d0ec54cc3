"""A topic in Kafka that is still being written."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from functools import cached_property, partial

from attrs import define, evolve, field
from confluent_kafka import KafkaException, Message, TopicPartition

from adapters.kafka.client import PATIENCE, Client, connect
from adapters.kafka.errors import MISSING, PARTITION_EOF, final
from adapters.kafka.partition_log import PartitionLog
from adapters.kafka.range_reader import (
    BATCH_BYTES,
    BATCH_RECORDS,
    LINGER,
    RECORD_BYTES,
    STALL,
)
from adapters.kafka.records import pack
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topic_ids import TopicIds
from domain.batches import RecordBatch
from domain.errors import StreamUnreadable, Unavailable
from domain.offsets import OffsetRange, RequestedRange
from domain.progress import LivePosition
from ports import Followed, LiveStream

log = logging.getLogger(__name__)

NO_END = 2**63 - 1


@define
class KafkaLiveStream(LiveStream):
    """
    Reads committed records of all partitions at once.

    Attributes:
        refresh: Seconds between looks for partitions that were added, and at whether it
            is still the same topic.
    """

    settings: KafkaSettings
    refresh: float = 5.0

    @cached_property
    def _topic_ids(self) -> TopicIds:
        return TopicIds(self.settings)

    def begin(self, topic: str, timestamp: int) -> LivePosition:
        """Return the place of the first records of *timestamp*; see the port."""
        offsets: dict[int, int] = {}
        with connect(self.settings) as client:
            for partition in sorted(client.insist(partial(client.partitions, topic))):
                # The end comes first: what is written between the two questions
                # belongs to the announcement.
                _, end = client.insist(partial(client.watermarks, topic, partition))
                place = TopicPartition(topic, partition, timestamp)
                found = client.insist(partial(_offset_at, client, place))
                offsets[partition] = end if found < 0 else found
        return LivePosition(topic, offsets, self._identify(topic))

    def follow(self, position: LivePosition) -> Iterator[Followed]:
        """Yield what comes from *position* on; see the port."""
        with connect(
            self.settings,
            enable_partition_eof=True,
            fetch_queue_backoff_ms=10,
            queued_max_messages_kbytes=16 << 10,
            # As for the control topic: partitions that a broker does not know yet.
            topic_metadata_refresh_interval_ms=5000,
        ) as client:
            yield from _Follower(client, position, self.settings, self).run()

    def _identify(self, topic: str) -> str:
        """Ask for the identity that *topic* has now."""
        self._topic_ids.note([topic])
        return self._topic_ids.known([topic])[topic]

    def look(self, position: LivePosition) -> LivePosition:
        """
        Look whether the topic of *position* is still the same one.

        Raises:
            StreamUnreadable: It was deleted, and maybe made again.
        """
        now = self._identify(position.topic)
        if position.log and now != position.log:
            raise StreamUnreadable(
                f"{position.topic}: the topic was deleted, or made again meanwhile"
            )
        return evolve(position, log=now)


@define
class _Follower:
    """
    One reading of a topic.

    Attributes:
        client: Has nothing assigned at first.

        position: What comes next.

        source: Knows the identities of topics.
    """

    client: Client
    position: LivePosition
    settings: KafkaSettings
    source: KafkaLiveStream
    _assigned: frozenset[int] = frozenset()
    _looked_at: float = field(default=float("-inf"), init=False)
    _moved_at: float = field(factory=time.monotonic, init=False)
    _silent_at: float = field(factory=time.monotonic, init=False)
    _record_bytes: float = field(default=RECORD_BYTES, init=False)

    def run(self) -> Iterator[Followed]:
        while True:
            self._look()
            asked = max(1, min(BATCH_RECORDS, int(BATCH_BYTES / self._record_bytes)))
            records: Sequence[Message] = self.client.consumer.consume(asked, LINGER)
            news: list[Message] = []
            if any(map(Message.error, records)):
                news = [message for message in records if message.error()]
                records = [message for message in records if not message.error()]
            if records:
                self.client.brokers.heard()
                yield from self._batches(records)
                self._moved_at = self._silent_at = time.monotonic()
            for message in news:  # of what lies behind the records
                self._take_news(message)
            if records or news:
                continue
            self.client.brokers.require()
            if time.monotonic() > self._silent_at + STALL:
                self._silent_at = time.monotonic()
                if self._nothing_is_there():
                    self._moved_at = time.monotonic()
                    yield Followed(_nothing(self.position.topic), self.position)
                    self._silent_at = time.monotonic()

    def _batches(self, records: Sequence[Message]) -> Iterator[Followed]:
        """Sort *records* by partition; in each they are in order."""
        numbers = list(map(Message.partition, records))
        for partition in sorted({number or 0 for number in numbers}):
            there = records
            if numbers.count(partition) < len(numbers):
                of_it = zip(numbers, records, strict=True)
                there = [message for number, message in of_it if number == partition]
            start = self.position.offsets.get(partition, 0)
            topic = self.position.topic
            batch = pack(OffsetRange(topic, partition, start, NO_END), there)
            size = len(batch.keys.data) + len(batch.values.data)
            self._record_bytes = max(1.0, size / len(batch))
            self.position = self.position.at(partition, batch.offsets[-1] + 1)
            end = self.client.known_end(topic, partition)
            yield Followed(batch, self.position, end)

    def _look(self) -> None:
        """Look at the topic every now and then: its partitions, and its identity."""
        if time.monotonic() < self._looked_at + self.source.refresh:
            return
        topic = self.position.topic
        found = self.client.partitions(topic)
        if found is None:  # the brokers are away, for now
            return
        self._looked_at = time.monotonic()
        if gone := self._assigned - found:
            raise StreamUnreadable(
                f"{topic}: no such partition any more: "
                f"{', '.join(map(str, sorted(gone)))}"
            )
        if not found and not self.position.log:
            self._looked_at -= self.source.refresh - PATIENCE  # it is to be made soon
            return
        self.position = self.source.look(self.position)
        if added := found - self._assigned:
            for partition in added - self.position.offsets.keys():
                self.position = self.position.at(partition, 0)
            offsets = self.position.offsets
            self.client.consumer.incremental_assign(
                [TopicPartition(topic, p, offsets[p]) for p in sorted(added)]
            )
            self._assigned = found

    def _take_news(self, message: Message) -> None:
        error, partition = message.error(), message.partition()
        if error is None or partition is None:
            return
        if error.code() == PARTITION_EOF:
            self._reach(partition, message.offset() or 0)
            return
        start = self.position.offsets.get(partition, 0)
        reason = final(error, f"{self.position.topic}[{partition}]@{start}")
        if reason is None:
            self.client.brokers.missed(error)
            return
        if error.code() in MISSING:
            self.source.look(self.position)  # which may say it better
        self._behind(partition)
        raise reason

    def _reach(self, partition: int, offset: int) -> None:
        """Go on behind offsets without a record."""
        if offset > self.position.offsets.get(partition, 0):
            self.position = self.position.at(partition, offset)

    def _nothing_is_there(self) -> bool:
        """
        Ask the brokers whether all that may be read was read.

        Raises:
            StreamUnreadable: Something is gone.

            Unavailable: Brokers stayed away, or answer without serving it.
        """
        topic = self.position.topic
        places = [TopicPartition(topic, number) for number in sorted(self._assigned)]
        for reached in self.client.consumer.position(places) if places else ():
            self._reach(reached.partition, reached.offset)  # negative before the first
        if not self._assigned:
            return self.client.partitions(topic) is not None
        behind = [self._behind(number) for number in sorted(self._assigned)]
        if None in behind:  # nobody knows: that is the brokers' own silence
            return False
        stalled = time.monotonic() - self._moved_at
        if any(behind) and stalled > self.settings.streamfit_broker_deadline:
            raise Unavailable(f"{topic}: no record for {stalled:.0f} seconds")
        return not any(behind)

    def _behind(self, partition: int) -> bool | None:
        """
        Say whether there is more of *partition*; None if brokers have not answered yet.

        Raises:
            StreamUnreadable: What comes next is gone.
        """
        topic = self.position.topic
        watermarks = self.client.watermarks(topic, partition)
        if watermarks is None:
            return None
        start = self.position.offsets.get(partition, 0)
        there = PartitionLog(*watermarks)
        if reason := there.hopeless(RequestedRange(topic, partition, start, None)):
            raise StreamUnreadable(reason)
        return there.high > start


def _offset_at(client: Client, place: TopicPartition) -> int | None:
    """
    Ask for the first offset of a time, which *place* has for its offset.

    Returns:
        A negative one if there is none; None if the brokers have not answered yet.
    """
    where = f"{place.topic}[{place.partition}]"
    try:
        (found,) = client.consumer.offsets_for_times([place], PATIENCE)
    except KafkaException as failure:
        client.brokers.failed(failure.args[0], where)
        return None
    if found.error is not None:
        client.brokers.failed(found.error, where)
        return None
    client.brokers.heard()
    offset: int = found.offset
    return offset


def _nothing(topic: str) -> RecordBatch:
    return pack(OffsetRange(topic, 0, 0, NO_END), ())
