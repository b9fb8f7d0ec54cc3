"""Puts records on topics, in order and once each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field
from confluent_kafka import KafkaError, Message, Producer

from adapters.kafka.brokers import Brokers
from adapters.kafka.errors import MISSING, refusal
from adapters.kafka.options import make, producer_options
from domain.errors import DeploymentInvalid, Unavailable
from domain.offsets import OffsetRange

Record = tuple[bytes | None, bytes | None]
"""Key and value."""

ANY = -1
"""The partition that suits the key."""

PATIENCE = 1.0
"""Seconds that one call may block."""

RESERVE = 10.0
"""Seconds by which librdkafka is more patient than we are: we know more to say."""


@define
class Publisher:
    """
    A producer that reports what became of every record.

    Attributes:
        servers: Brokers to ask first, as ``host:port``.

        properties: Of librdkafka.

        deadline: Seconds that the brokers may be away.
    """

    servers: str
    properties: Mapping[str, str]
    deadline: float
    offsets: list[int] = field(factory=list, init=False)
    _failures: list[KafkaError] = field(factory=list, init=False)
    _brokers: Brokers = field(init=False)
    _producer: Producer = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._brokers = Brokers(self.servers, self.deadline)
        patience = int((self.deadline + RESERVE) * 1000)
        self._producer = make(
            Producer,
            {
                "compression.type": "lz4",
                "topic.metadata.propagation.max.ms": 1000,
                **producer_options(self.servers, self.properties),
                "enable.idempotence": True,
                "message.timeout.ms": patience,
                "error_cb": self._brokers.on_error,
            },
            self.properties,
        )

    def send(
        self,
        topic: str,
        record: Record,
        *,
        partition: int = ANY,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Queue a record; wait if there are too many."""
        key, value = record
        while True:
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    headers=list((headers or {}).items()),
                    on_delivery=self._on_delivery,
                )
                break
            except BufferError:
                self._producer.poll(PATIENCE)  # let deliveries empty the queue
                self._check(topic)
        self._producer.poll(0)

    def flush(self, topic: str) -> None:
        """
        Wait until all records have been accepted.

        Raises:
            Unavailable: The brokers stayed away.

            DeploymentInvalid: The brokers refuse the records.
        """
        while self._producer.flush(PATIENCE):
            self._check(topic)
        self._check(topic)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(error)
            return
        self.offsets.append(message.offset() or 0)
        self._brokers.heard()

    def _check(self, topic: str) -> None:
        if not self._failures:
            self._brokers.require()
            return
        error = self._failures[0]
        text = f"{topic}: {len(self._failures)} not accepted: {error.str()}"
        if error.code() in MISSING or refusal(error) or not may_pass(error):
            raise DeploymentInvalid(text)
        raise Unavailable(text)


def may_pass(error: KafkaError) -> bool:
    """Whether another attempt, of another process, may succeed."""
    return error.retriable() or error.code() in {
        KafkaError._MSG_TIMED_OUT,  # noqa: SLF001  librdkafka's own begin with "_"
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError.NOT_ENOUGH_REPLICAS,
    }


def publish(
    bootstrap_servers: str,
    topic: str,
    records: Iterable[Record],
    *,
    partition: int = 0,
    deadline: float = 60.0,
    properties: Mapping[str, str] | None = None,
) -> OffsetRange:
    """
    Append *records* to a partition, in order and once each.

    Args:
        bootstrap_servers: Brokers to ask first, as ``host:port``.

        topic: The topic's name.

        records: Keys and values; at least one.

        partition: The partition's number.

        deadline: Seconds that the brokers may be away.

        properties: Of librdkafka; see `librdkafka_properties`.

    Returns:
        Where they lie, if nobody else wrote to the partition meanwhile.

    Raises:
        Unavailable: Not every record was accepted.

        DeploymentInvalid: The brokers refuse the records.
    """
    place = f"{topic}[{partition}]"
    publisher = Publisher(bootstrap_servers, properties or {}, deadline)
    for record in records:
        publisher.send(topic, record, partition=partition)
    publisher.flush(place)
    if not publisher.offsets:
        raise ValueError(f"{place}: there is nothing to publish")
    first, last = min(publisher.offsets), max(publisher.offsets)
    return OffsetRange(topic, partition, first, last + 1)
