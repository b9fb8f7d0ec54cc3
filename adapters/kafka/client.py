"""A consumer that belongs to no group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from attrs import define
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from adapters.kafka.brokers import Brokers
from adapters.kafka.errors import MISSING
from adapters.kafka.options import consumer_options, make
from adapters.kafka.settings import KafkaSettings

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds that one call may block: a signal is served no later than that."""

PAUSE = 0.2
"""Seconds between two questions to the brokers."""


@define
class Client:
    """
    One consumer and its brokers.

    Attributes:
        consumer: To assign partitions to, and to consume from.

        brokers: Told of every answer and every failure.
    """

    consumer: Consumer
    brokers: Brokers

    @classmethod
    def open(cls, settings: KafkaSettings, **options: str | int | bool) -> Client:
        """
        Make one with librdkafka's *options*, dots written as underscores.

        Raises:
            SettingsInvalid: librdkafka refuses the settings.
        """
        servers, properties = settings.bootstrap_servers, settings.librdkafka
        brokers = Brokers(servers, settings.streamfit_broker_deadline)
        named = {name.replace("_", "."): value for name, value in options.items()}
        consumer = make(
            Consumer,
            {
                "topic.metadata.propagation.max.ms": 1000,
                **named,
                **consumer_options(servers, properties),
                # The client insists on a name; nothing joins the group.
                "group.id": "streamfit",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": named.get("auto.offset.reset", "error"),
                "isolation.level": "read_committed",
                "check.crcs": True,
                "allow.auto.create.topics": False,
                "error_cb": brokers.on_error,
            },
            properties,
        )
        return cls(consumer, brokers)

    def close(self) -> None:
        """Give back its connections, and what it fetched."""
        self.consumer.close()

    def partitions(self, topic: str) -> frozenset[int] | None:
        """
        Ask for the partitions of *topic*; none if it does not exist.

        Returns:
            None if the brokers have not answered yet: ask again.

        Raises:
            Unavailable: They have been away for too long.

            DeploymentInvalid: They refuse to tell.
        """
        try:
            answer = self.consumer.list_topics(topic, PATIENCE).topics[topic]
        except KafkaException as failure:
            self.brokers.failed(failure.args[0], topic)
            return None
        error: KafkaError | None = answer.error
        partitions: Mapping[int, object] = answer.partitions
        if error is not None and error.code() not in MISSING:
            self.brokers.failed(error, topic)
            return None
        self.brokers.heard()
        return frozenset(partitions)

    def watermarks(self, topic: str, partition: int) -> tuple[int, int] | None:
        """
        Ask for the first offset and for the end of what may be read.

        The end is the last stable offset: records of open transactions lie behind it.

        Returns:
            None if the brokers have not answered yet: ask again.

        Raises:
            Unavailable: They have been away for too long.

            StreamUnreadable: There is no such partition.

            DeploymentInvalid: They refuse to tell.
        """
        where = TopicPartition(topic, partition)
        try:
            answer = self.consumer.get_watermark_offsets(where, PATIENCE)
        except KafkaException as failure:
            self.brokers.failed(failure.args[0], f"{topic}[{partition}]")
            return None
        self.brokers.heard()
        return answer

    def known_end(self, topic: str, partition: int) -> int | None:
        """
        Return the end of a partition that is read, as its broker told it last.

        Nothing is asked; None if it has told nothing yet.
        """
        where = TopicPartition(topic, partition)
        known: tuple[int, int] | None = self.consumer.get_watermark_offsets(
            where, cached=True
        )
        return known[1] if known and known[1] >= 0 else None

    def insist(self, ask: Callable[[], T | None]) -> T:
        """Ask until there is an answer; nothing may be assigned meanwhile."""
        while (answer := ask()) is None:
            # With nothing assigned this takes librdkafka's news, and no records.
            self.consumer.poll(PAUSE)
        return answer


@contextmanager
def connect(settings: KafkaSettings, **options: str | int | bool) -> Iterator[Client]:
    """Open a client, and close it at the end."""
    client = Client.open(settings, **options)
    try:
        yield client
    finally:
        client.close()
