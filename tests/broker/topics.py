"""Arranges topics behind the back of the adapters."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from attrs import field, frozen
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)

Record = tuple[bytes | None, bytes | None]
"""Key and value."""


def unique(name: str) -> str:
    """Return a topic's name that no other test uses."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


@frozen
class KafkaTopics:
    """
    The topics of a running Kafka, real or embedded.

    Attributes:
        servers: Its address, as ``host:port``.
    """

    servers: str
    _admin: AdminClient = field(init=False)

    @_admin.default
    def _connect(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def create(self, topic: str, partitions: int = 1, **options: str) -> None:
        """
        Make a topic with Kafka's *options*, dots written as underscores.

        The embedded cluster gives it four partitions in any case.
        """
        if self._is_embedded():
            # It knows no request for new topics, but makes those that are asked for.
            self._producer().list_topics(topic, 30)
            return
        named = {name.replace("_", "."): value for name, value in options.items()}
        wanted = NewTopic(topic, partitions, config=named)
        (made,) = self._admin.create_topics([wanted]).values()
        made.result(30)
        self._await_leaders(topic, partitions)

    def ensure(self, topic: str, partitions: int = 1) -> None:
        """Make a topic unless it is there with that many partitions."""
        there = self._admin.list_topics(timeout=30).topics.get(topic)
        if there is None:
            self.create(topic, partitions)
        elif len(there.partitions) < partitions:
            wanted = [NewPartitions(topic, partitions)]
            (made,) = self._admin.create_partitions(wanted).values()
            made.result(30)
            self._await_leaders(topic, partitions)

    def _await_leaders(self, topic: str, partitions: int) -> None:
        """Wait until each partition answers: a broker learns of them a little later."""
        wanted = {
            TopicPartition(topic, number): OffsetSpec.earliest()
            for number in range(partitions)
        }
        give_up_at = time.monotonic() + 30
        while True:
            # What a client knows of a topic may be older than the partition.
            admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
            try:
                for answer in admin.list_offsets(wanted).values():
                    answer.result(10)
            except KafkaException:
                assert time.monotonic() < give_up_at
                time.sleep(0.05)
            else:
                return

    def delete(self, topic: str) -> None:
        """Delete a topic with all that is in it."""
        (deleted,) = self._admin.delete_topics([topic]).values()
        deleted.result(30)

    def produce(
        self,
        topic: str,
        *records: Record,
        partition: int = 0,
        compression: str = "none",
    ) -> None:
        """Append (key, value) *records*; topic and partition are made if need be."""
        self.ensure(topic, partition + 1)
        producer = self._producer(compression=compression)
        for key, value in records:
            producer.produce(topic, value, key, partition)
        assert 0 == producer.flush(60)

    @contextmanager
    def transaction(
        self, topic: str, *records: Record, commit: bool = True
    ) -> Iterator[None]:
        """Append *records* to partition 0; the transaction is open while entered."""
        self.ensure(topic)
        producer = self._producer(transactional_id=unique("transaction"))
        producer.init_transactions(30)
        producer.begin_transaction()
        for key, value in records:
            producer.produce(topic, value, key, 0)
        producer.flush(30)
        yield
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
        # The broker answers before it writes the marker.
        while self._end(topic, committed=True) < self._end(topic, committed=False):
            ...

    def messages(self, topic: str) -> list[Message]:
        """Return what is in partition 0."""
        options = {"bootstrap.servers": self.servers, "group.id": "tests"}
        reader = Consumer({**options, "log_level": 0, "enable.partition.eof": True})
        found: list[Message] = []
        try:
            reader.assign([TopicPartition(topic, 0, 0)])
            while not found or found[-1].error() is None:
                found += reader.consume(1, 30)
        finally:
            reader.close()
        return found[:-1]

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        """Delete the records before an offset, as retention does."""
        place = TopicPartition(topic, partition, before)
        (deleted,) = self._admin.delete_records([place]).values()
        deleted.result(30)

    @contextmanager
    def forbidden(
        self, kind: ResourceType, name: str, user: str = "User:ANONYMOUS"
    ) -> Iterator[None]:
        """Forbid *user* to use something of the broker's, while entered."""
        pattern = (kind, name, ResourcePatternType.LITERAL, user, "*")
        rule = (AclOperation.ALL, AclPermissionType.DENY)
        (made,) = self._admin.create_acls([AclBinding(*pattern, *rule)]).values()
        try:
            made.result(30)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.SECURITY_DISABLED:
                pytest.skip("the broker has no authorizer")
            raise
        yield
        (gone,) = self._admin.delete_acls([AclBindingFilter(*pattern, *rule)]).values()
        gone.result(30)

    def _is_embedded(self) -> bool:
        return self._admin.cluster_id(30).startswith("mockCluster")

    def _end(self, topic: str, *, committed: bool) -> int:
        place = TopicPartition(topic, 0)
        (found,) = self._admin.list_offsets(
            {place: OffsetSpec.latest()},
            isolation_level=IsolationLevel.READ_COMMITTED
            if committed
            else IsolationLevel.READ_UNCOMMITTED,
        ).values()
        return found.result(30).offset

    def _producer(self, **options: str) -> Producer:
        named = {name.replace("_", "."): value for name, value in options.items()}
        if "compression" in named:
            named["compression.type"] = named.pop("compression")
        return Producer(
            {
                "bootstrap.servers": self.servers,
                "linger.ms": 0,
                "log_level": 0,
                "message.max.bytes": 20_000_000,
                **named,
            }
        )
