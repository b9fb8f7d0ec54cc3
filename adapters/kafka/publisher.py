"""A sender's topics in Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle

from attrs import define, field, frozen
from confluent_kafka import KafkaError, Message

from adapters.kafka.connection import PATIENCE, Connection, Place, meaning
from adapters.kafka.settings import KafkaSettings
from adapters.wire.announcement import announcement_key, announcement_text
from domain.errors import DeploymentInvalid, ServiceError, Unavailable
from domain.offsets import OffsetRange
from domain.request import DeploymentId
from domain.sending import (
    Announcement,
    Delivered,
    DeliveryListener,
    OutgoingRecords,
    Placements,
)
from ports import Publisher

OFTEN = 200
"""Records after which reports are taken: they need room, too."""


@frozen
class KafkaPublisher(Publisher):
    """
    Every record is written once, is safe on all replicas, and its report is read.

    A topic that is not there is made by brokers that make those that are asked for, and
    by no others.

    Attributes:
        birth: Seconds that this may take.
    """

    settings: KafkaSettings
    birth: float = 10.0

    def require(self, *topics: str) -> None:
        """Make sure that topics are there; see the port."""
        wanted = dict.fromkeys([*topics, self.settings.control_topic])
        with self._connect() as connection:
            connection.partitions(*wanted)

    def publish(
        self,
        topic: str,
        batches: Iterable[OutgoingRecords],
        on_delivery: DeliveryListener,
    ) -> tuple[OffsetRange, ...]:
        """Append records in turn to all partitions; see the port."""
        delivery = _Delivery(topic)
        try:
            with self._connect() as connection:
                (partitions,) = connection.partitions(topic)
                for _ in delivery.sending(connection, partitions, batches):
                    on_delivery(delivery.so_far)
        except (Unavailable, DeploymentInvalid) as error:
            count = delivery.so_far.records
            raise type(error)(
                f"{topic}: {count} records were delivered, and then no more: {error}"
            ) from error
        return delivery.placements.ranges()

    def announce(self, deployment_id: DeploymentId, announcement: Announcement) -> None:
        """Write a control message; see the port."""
        topic = self.settings.control_topic
        key, text = announcement_key(deployment_id), announcement_text(announcement)
        reports: list[KafkaError | None] = []
        try:
            with self._connect() as connection:
                connection.partitions(topic)
                connection.produce(
                    Place(topic), key, text, lambda error, _: reports.append(error)
                )
                while not reports:
                    connection.poll(PATIENCE)
            if reports[0] is not None:
                raise meaning(reports[0])
        except (Unavailable, DeploymentInvalid) as error:
            raise type(error)(
                f"{topic}: the control message was not accepted: {error}"
            ) from error

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        connection = Connection.open(self.settings, self.birth)
        try:
            yield connection
        finally:
            connection.close()


@define
class _Delivery:
    """
    What has become of the records of one data set.

    Attributes:
        topic: Where they go.

        placements: Where those lie that have been accepted.
    """

    topic: str
    placements: Placements = field(init=False)
    _records: int = 0
    _size: int = 0
    _failure: ServiceError | None = None

    def __attrs_post_init__(self) -> None:
        self.placements = Placements(self.topic)

    @property
    def so_far(self) -> Delivered:
        """How many have been accepted."""
        return Delivered(self.topic, self._records, self._size)

    def sending(
        self,
        connection: Connection,
        partitions: Sequence[int],
        batches: Iterable[OutgoingRecords],
    ) -> Iterator[None]:
        """Send everything, and yield now and then."""
        places = cycle([Place(self.topic, number) for number in partitions])
        queued = 0
        for records in batches:
            for index in range(len(records)):
                connection.produce(
                    next(places),
                    bytes(records.keys[index]),
                    bytes(records.values[index]),
                    self._take,
                )
                queued += 1
                if not queued % OFTEN:
                    connection.poll(0)
                    self._check()
            yield
        while connection.waiting:
            connection.poll(PATIENCE)
            self._check()
            yield
        self._check()
        if self._records < queued:  # an interrupt came while one was read
            raise Unavailable(f"{queued - self._records} reports were lost")

    def _take(self, error: KafkaError | None, message: Message) -> None:
        """Read the report of one record."""
        if error is not None:
            self._failure = self._failure or meaning(error)
            return
        partition, offset = message.partition(), message.offset()
        if partition is None or offset is None:
            # Written twice, recognised by the broker, which has forgotten where.
            self._failure = self._failure or Unavailable(
                "a broker does not say where a record lies"
            )
            return
        self.placements.add(partition, offset)
        self._records += 1
        self._size += len(message) + len(message.key() or b"")

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
