"""The control topic in Kafka."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from attrs import define, field, frozen
from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition

from adapters.kafka.client import PATIENCE, PAUSE, Client, connect
from adapters.kafka.errors import MISSING, PARTITION_EOF, refusal
from adapters.kafka.settings import KafkaSettings
from adapters.wire.control_message import parse_key, parse_request
from domain.errors import DeploymentInvalid, Unavailable
from domain.request import ControlMessage
from ports import ControlSource

log = logging.getLogger(__name__)


@frozen
class KafkaControlSource(ControlSource):
    """
    Reads all partitions of the control topic, from the beginning on every call.

    The order is that of each partition.  The messages of one deployment share a key,
    and so a partition.

    Attributes:
        refresh: Seconds between looks for partitions that were added.

        heartbeat: Seconds between lines in the log that say that it still waits.
    """

    settings: KafkaSettings
    refresh: float = 30.0
    heartbeat: float = 60.0

    def messages(self) -> Iterator[ControlMessage]:
        """Yield every control message, and wait for more; see the port."""
        topic = self.settings.control_topic
        # A topic that was deleted and made again is read from its new beginning.
        with connect(
            self.settings,
            auto_offset_reset="earliest",
            # A partition that is too new for the broker that was asked is asked for
            # again after this time, by default five minutes.
            topic_metadata_refresh_interval_ms=5000,
        ) as client:
            watch = _Watch(client, topic, self.refresh)
            clock = _Clock(topic, self.settings.streamfit_control_deadline)
            while True:
                watch.keep()
                clock.look(self.heartbeat)
                silent = client.brokers.silent
                message = client.consumer.poll(PAUSE if silent else PATIENCE)
                if message is not None and _is_record(message, client):
                    with clock.stopped():
                        yield _to_control_message(topic, message)

    def present(self) -> Iterator[ControlMessage] | None:
        """Return the control messages that are there now; see the port."""
        topic = self.settings.control_topic
        with connect(self.settings) as client:
            partitions = client.insist(partial(client.partitions, topic))
            there = {
                number: client.insist(partial(client.watermarks, topic, number))
                for number in sorted(partitions)
            }
        return self._between(there) if partitions else None

    def _between(
        self, there: Mapping[int, tuple[int, int]]
    ) -> Iterator[ControlMessage]:
        """Yield the messages from the first offset of each partition up to its end."""
        topic = self.settings.control_topic
        ends = {number: end for number, (start, end) in there.items() if start < end}
        with connect(
            self.settings, auto_offset_reset="earliest", enable_partition_eof=True
        ) as client:
            client.consumer.assign(
                [TopicPartition(topic, number, there[number][0]) for number in ends]
            )
            moved_at = time.monotonic()
            while ends:
                message = client.consumer.poll(PAUSE)
                if message is None or not _is_news(message, client):
                    self._require(client, moved_at)
                    continue
                number, offset = message.partition() or 0, message.offset() or 0
                end = ends.get(number, 0)
                # An end comes as an error, perhaps behind a transaction's marker.
                if message.error() is not None or offset + 1 >= end:
                    ends.pop(number, None)
                if message.error() is None and offset < end:
                    yield _to_control_message(topic, message)
                moved_at = time.monotonic()

    def _require(self, client: Client, moved_at: float) -> None:
        """
        Look whether there is still hope for the next message.

        Raises:
            Unavailable: The brokers stayed away, or answer without serving it.
        """
        client.brokers.require()
        stalled = time.monotonic() - moved_at
        if stalled > self.settings.streamfit_broker_deadline:
            raise Unavailable(
                f"{self.settings.control_topic}: no message for {stalled:.0f} seconds, "
                "though there are some"
            )


@define
class _Clock:
    """
    How long the wait has lasted, without what was done with messages in between.

    Attributes:
        topic: For the log.

        deadline: Seconds that it may last; None for ever.
    """

    topic: str
    deadline: float | None
    _started: float = field(factory=time.monotonic)
    _said: float = 0.0

    def look(self, heartbeat: float) -> None:
        """
        Say every now and then that the wait goes on.

        Raises:
            Unavailable: It must not.
        """
        waited = time.monotonic() - self._started
        if self.deadline is not None and waited > self.deadline:
            raise Unavailable(
                f"{self.topic}: no control message to train on in {waited:.0f} seconds"
            )
        if waited - self._said > heartbeat:
            self._said = waited
            extra = {"topic": self.topic, "seconds": round(waited)}
            log.info("still waiting for a control message", extra=extra)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Do not count the time that others take."""
        before = time.monotonic()
        yield
        self._started += time.monotonic() - before


@define
class _Watch:
    """Keeps all partitions of the topic assigned, whatever becomes of it."""

    client: Client
    topic: str
    refresh: float
    _assigned: frozenset[int] = frozenset()
    _due: float = 0.0
    _announced: bool = False

    def keep(self) -> None:
        """Look at the topic, if it is time or if something went wrong."""
        if self.client.brokers.silent:
            self.client.brokers.require()
        elif time.monotonic() < self._due:
            return
        found = self.client.partitions(self.topic)
        if found is None:
            return
        self._due = time.monotonic() + (self.refresh if found else PATIENCE)
        if not found and not self._announced:
            log.info("waiting for the control topic", extra={"topic": self.topic})
            self._announced = True
        if not self._assigned <= found:  # it was deleted
            self.client.consumer.unassign()
            self._assigned = frozenset()
            self._announced = False
        if added := found - self._assigned:
            self.client.consumer.incremental_assign(
                [TopicPartition(self.topic, p, OFFSET_BEGINNING) for p in sorted(added)]
            )
            self._assigned = found


def _is_news(message: Message, client: Client) -> bool:
    """Tell a record, or the end of a partition, from news about brokers or topic."""
    error = message.error()
    if error is not None and error.code() == PARTITION_EOF:
        client.brokers.heard()
        return True
    return _is_record(message, client)


def _is_record(message: Message, client: Client) -> bool:
    """Tell a record from a piece of news about the brokers or the topic."""
    error = message.error()
    if error is None:
        client.brokers.heard()
        return True
    if reason := refusal(error):
        raise DeploymentInvalid(f"{message.topic()}: {reason}")
    if error.code() not in MISSING:
        client.brokers.missed(error)
    return False


def _to_control_message(topic: str, message: Message) -> ControlMessage:
    return ControlMessage(
        deployment_id=parse_key(message.key()),
        position=f"{topic}[{message.partition()}]@{message.offset()}",
        open=partial(parse_request, message.value()),
        timestamp=max(0, message.timestamp()[1]),  # -1 if there is none
    )
