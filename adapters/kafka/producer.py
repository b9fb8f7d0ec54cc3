"""Puts records on a topic, as a data sink does."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaError, Message, Producer

from adapters.kafka.options import LOGGER, shared_options
from domain.errors import Unavailable
from domain.offsets import OffsetRange

Record = tuple[bytes | None, bytes | None]
"""Key and value."""


def publish(
    bootstrap_servers: str,
    topic: str,
    records: Iterable[Record],
    *,
    partition: int = 0,
    deadline: float = 60.0,
) -> OffsetRange:
    """
    Append *records* to a partition, in order and once each.

    Args:
        bootstrap_servers: Brokers to ask first, as ``host:port``.

        topic: The topic's name.

        records: Keys and values; at least one.

        partition: The partition's number.

        deadline: Seconds until a record must have been accepted.

    Returns:
        Where they lie, if nobody else wrote to the partition meanwhile.

    Raises:
        Unavailable: Not every record was accepted.
    """
    place = f"{topic}[{partition}]"
    offsets: list[int] = []
    failures: list[str] = []

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        if error is not None or offset is None:
            failures.append(str(error))
        else:
            offsets.append(offset)

    producer = Producer(
        {
            **shared_options(bootstrap_servers),
            "enable.idempotence": True,
            "compression.type": "lz4",
            "message.timeout.ms": int(deadline * 1000),
        },
        logger=LOGGER,
    )
    for key, value in records:
        while True:
            try:
                producer.produce(topic, value, key, partition, on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.1)  # the queue is full: let deliveries empty it
        producer.poll(0)
    producer.flush()
    if not offsets and not failures:
        raise ValueError(f"{place}: there is nothing to publish")
    if failures:
        raise Unavailable(f"{place}: {len(failures)} not accepted: {failures[0]}")
    return OffsetRange(topic, partition, min(offsets), max(offsets) + 1)
