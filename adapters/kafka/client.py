"""A consumer that belongs to no group, and how long its brokers have been away."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

from attrs import define
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from adapters.kafka.errors import ALL_BROKERS_DOWN, CONNECTION, MISSING, final
from adapters.kafka.options import LOGGER, shared_options
from adapters.kafka.settings import KafkaSettings
from domain.errors import Unavailable

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds that one call may block: a signal is served no later than that."""


@define
class Brokers:
    """
    Whether the brokers are there, and since when they are not.

    librdkafka reconnects by itself, for ever; somebody has to look at the clock.

    Attributes:
        servers: Their addresses, for messages.

        deadline: Seconds that they may be away.
    """

    servers: str
    deadline: float
    _away_since: float | None = None
    _cause: str = ""

    @property
    def silent(self) -> bool:
        """Whether something went wrong since they last answered."""
        return self._away_since is not None

    def heard(self) -> None:
        """Note that they answered."""
        if self._away_since is not None:
            log.info("brokers answer again", extra={"servers": self.servers})
        self._away_since, self._cause = None, ""

    def on_error(self, error: KafkaError) -> None:
        """Take librdkafka's news, which it tells while it is polled."""
        if error.code() not in CONNECTION:
            return
        if error.code() != ALL_BROKERS_DOWN:
            self._cause = error.str()  # more telling than what a call returns
        self.missed(error)

    def missed(self, error: KafkaError) -> None:
        """Note that they did not answer, and why."""
        self._cause = self._cause or error.str()
        if self._away_since is None:
            self._away_since = time.monotonic()
            extra = {"servers": self.servers, "reason": error.str()}
            log.warning("brokers do not answer", extra=extra)

    def require(self) -> None:
        """
        Look at the clock.

        Raises:
            Unavailable: They have been away for too long.
        """
        if self._away_since is None:
            return
        away = time.monotonic() - self._away_since
        if away > self.deadline:
            raise Unavailable(
                f"{self.servers}: away for {away:.0f} seconds: {self._cause}"
            )


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

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient(shared_options(self.brokers.servers), logger=LOGGER)

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
            self._failed(failure.args[0], topic)
            return None
        error: KafkaError | None = answer.error
        partitions: Mapping[int, object] = answer.partitions
        if error is not None and error.code() not in MISSING:
            self._failed(error, topic)
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

            DeploymentInvalid: They refuse to tell.
        """
        where = TopicPartition(topic, partition)
        try:
            answer = self.consumer.get_watermark_offsets(where, PATIENCE)
        except KafkaException as failure:
            self._failed(failure.args[0], f"{topic}[{partition}]")
            return None
        self.brokers.heard()
        return answer

    def topic_id(self, topic: str) -> str | None:
        """
        Ask for the identity of *topic*, which no later topic of that name has.

        Returns:
            None if the brokers have not answered yet: ask again.  Empty if they never
            can: the embedded cluster has no controller to be asked.

        Raises:
            Unavailable: They have been away for too long.

            StreamUnreadable: There is no such topic.

            DeploymentInvalid: They refuse to tell.
        """
        try:
            cluster = self.consumer.list_topics(topic, PATIENCE)
            if cluster.controller_id not in cluster.brokers:
                return ""
            (answer,) = self._admin.describe_topics(
                TopicCollection([topic]), request_timeout=PATIENCE
            ).values()
            found: object = answer.result().topic_id
        except KafkaException as failure:
            self._failed(failure.args[0], topic)
            return None
        self.brokers.heard()
        return str(found)

    def _failed(self, error: KafkaError, place: str) -> None:
        reason = final(error, place)
        if reason is not None:
            raise reason
        self.brokers.missed(error)
        self.brokers.require()


@contextmanager
def connect(settings: KafkaSettings, **options: str | int | bool) -> Iterator[Client]:
    """Make a client with librdkafka's *options*, dots written as underscores."""
    brokers = Brokers(settings.bootstrap_servers, settings.streamfit_broker_deadline)
    consumer = Consumer(
        {
            **shared_options(settings.bootstrap_servers),
            # The client insists on a name; nothing joins the group or commits to it.
            "group.id": "streamfit",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "check.crcs": True,
            "allow.auto.create.topics": False,
            "topic.metadata.propagation.max.ms": 1000,
            "error_cb": brokers.on_error,
            **{name.replace("_", "."): value for name, value in options.items()},
        },
        logger=LOGGER,
    )
    try:
        yield Client(consumer, brokers)
    finally:
        consumer.close()
