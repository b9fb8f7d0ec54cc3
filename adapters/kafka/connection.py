"""A producer that writes every record once, and what stands in its way."""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, frozen
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from adapters.kafka.brokers import Brokers
from adapters.kafka.errors import MISSING, refusal
from adapters.kafka.options import make, producer_options
from adapters.kafka.producer import ANY, may_pass
from adapters.kafka.settings import KafkaSettings
from domain.errors import DeploymentInvalid, ServiceError, Unavailable

Report = Callable[[KafkaError | None, Message], None]
"""Told what became of a record."""

PATIENCE = 0.5
"""Seconds that one call may block: a signal is served no later than that."""

RESERVE = 10.0
"""Seconds by which librdkafka is more patient than we are: we know more to say."""


@frozen
class Place:
    """
    Where a record is to go.

    Attributes:
        topic: The topic's name.

        partition: The partition's number; ANY for the one that suits the key.
    """

    topic: str
    partition: int = ANY


@define
class Connection:
    """
    One producer and its brokers.

    Attributes:
        producer: Takes records, and reports of each what became of it.

        brokers: Told of every answer and every failure.

        birth: Seconds that a topic may take to come into being, where brokers make
            those that are asked for.
    """

    producer: Producer
    brokers: Brokers
    birth: float

    @classmethod
    def open(cls, settings: KafkaSettings, birth: float) -> Connection:
        """
        Make one.

        Raises:
            SettingsInvalid: librdkafka refuses the settings.
        """
        servers, properties = settings.bootstrap_servers, settings.librdkafka
        deadline = settings.streamfit_broker_deadline
        brokers = Brokers(servers, deadline)
        producer = make(
            Producer,
            {
                "compression.type": "lz4",
                "topic.metadata.propagation.max.ms": 1000,
                # What waits here is what may be lost: seconds of a slow link, no more.
                "queue.buffering.max.kbytes": 64 * 1024,
                # The topic's own limit counts, and the broker knows that.
                "message.max.bytes": 1_000_000_000,
                **producer_options(servers, properties),
                "acks": "all",
                "enable.idempotence": True,
                "message.timeout.ms": int((deadline + RESERVE) * 1000),
                "error_cb": brokers.on_error,
            },
            properties,
        )
        return cls(producer, brokers, birth)

    @property
    def waiting(self) -> bool:
        """Whether there are records or reports on their way."""
        return len(self.producer) > 0

    def close(self) -> None:
        """Give up what has not been written, and take the last reports."""
        if self.waiting:
            self.producer.purge()
        self.producer.flush(PATIENCE)

    def partitions(self, *topics: str) -> tuple[tuple[int, ...], ...]:
        """
        Ask for the partitions of each of *topics*.

        Raises:
            DeploymentInvalid: Some are not there, or the brokers refuse to tell.

            Unavailable: The brokers stayed away.
        """
        found = {topic: self._ask(topic) for topic in topics}
        give_up_at = time.monotonic() + self.birth
        while missing := [topic for topic, there in found.items() if not there]:
            if self.brokers.silent:  # it is not the topic that is away
                give_up_at = time.monotonic() + self.birth
            elif time.monotonic() > give_up_at:
                raise DeploymentInvalid(
                    f"{', '.join(missing)}: no such topic, and the brokers do not make "
                    "one by themselves: create it first"
                )
            self.poll(PATIENCE)
            found |= {topic: self._ask(topic) for topic in missing}
        return tuple(found[topic] for topic in topics)

    def _ask(self, topic: str) -> tuple[int, ...]:
        """Return the partitions as the brokers know them now; none if they do not."""
        try:
            answer = self.producer.list_topics(topic, PATIENCE).topics[topic]
        except KafkaException as failure:
            self._failed(failure.args[0], topic)
            return ()
        error: KafkaError | None = answer.error
        if error is not None and error.code() not in MISSING and not error.retriable():
            self._failed(error, topic)
            return ()
        self.brokers.heard()
        return tuple(sorted(answer.partitions))

    def _failed(self, error: KafkaError, topic: str) -> None:
        if reason := refusal(error):
            raise DeploymentInvalid(f"{topic}: {reason}")
        self.brokers.missed(error)

    def produce(
        self, place: Place, key: bytes, value: bytes, on_delivery: Report
    ) -> None:
        """
        Queue a record; wait if there are too many.

        Raises:
            Unavailable: The brokers stayed away.

            DeploymentInvalid: The record is refused.
        """
        topic, partition = place.topic, place.partition
        while True:
            try:
                self.producer.produce(
                    topic, value, key, partition, on_delivery=on_delivery
                )
            except BufferError:
                self.poll(PATIENCE)  # lets deliveries empty the queue
            except KafkaException as failure:
                raise meaning(failure.args[0]) from failure
            else:
                return

    def poll(self, patience: float) -> None:
        """
        Take reports, and look at the clock.

        Raises:
            Unavailable: The brokers have been away for too long.

            DeploymentInvalid: They do not let us in.
        """
        self.producer.poll(patience)
        self.brokers.require()


def meaning(error: KafkaError) -> ServiceError:
    """Return what it is to us that a record was not accepted."""
    text = error.str()
    if error.code() in MISSING or refusal(error) or not may_pass(error):
        return DeploymentInvalid(text)
    return Unavailable(text)
