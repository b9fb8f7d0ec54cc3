"""The stream sources keep their contract."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from confluent_kafka.admin import ResourceType

from adapters.kafka import EmbeddedKafka, KafkaSettings, KafkaStreamSource, publish
from adapters.memory.broker import MemoryBroker
from domain.errors import DeploymentInvalid, StreamUnreadable, Unavailable
from domain.offsets import OffsetRange, RequestedRange
from tests.broker.topics import KafkaTopics, unique
from tests.contracts.logged import PATIENCE
from tests.contracts.stream_source import (
    DeletionContract,
    StreamSourceContract,
    numbered,
    offsets,
    values,
)

CLOSED_PORT = "127.0.0.1:1"


class TestMemory(StreamSourceContract, DeletionContract):
    @pytest.fixture
    def topic(self) -> str:
        return "data"

    @pytest.fixture
    def other_topic(self) -> str:
        return "other"

    @pytest.fixture
    def broker(self) -> MemoryBroker:
        return MemoryBroker(batch_size=3)

    @pytest.fixture
    def source(self, broker: MemoryBroker) -> MemoryBroker:
        return broker

    @pytest.fixture
    def patient_source(self, broker: MemoryBroker) -> MemoryBroker:
        broker.patience = PATIENCE
        return broker


class KafkaFixtures:
    """Topics that no other test uses."""

    @pytest.fixture
    def topic(self) -> str:
        return unique("data")

    @pytest.fixture
    def other_topic(self) -> str:
        return unique("other")

    @pytest.fixture
    def broker(self, kafka: str) -> KafkaTopics:
        return KafkaTopics(kafka)

    @pytest.fixture
    def source(self, kafka: str) -> KafkaStreamSource:
        return KafkaStreamSource(
            KafkaSettings(kafka, "control", streamfit_stream_deadline=0.0)
        )

    @pytest.fixture
    def patient_source(self, kafka: str) -> KafkaStreamSource:
        return KafkaStreamSource(KafkaSettings(kafka, "control"))


@pytest.mark.kafka
class TestKafka(KafkaFixtures, StreamSourceContract):
    """What any Kafka does, the embedded one included."""

    @pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
    def test_compression(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str, codec: str
    ) -> None:
        """Compressed records are read like others."""
        broker.produce(topic, *numbered(3000), compression=codec)

        batches = source.read([OffsetRange(topic, 0, 7, 2500)])

        assert [value for _, value in numbered(2500)[7:]] == values(batches)

    def test_large_batches(
        self, kafka: str, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """Batches are large, but hold no more than about 16 MiB or 10,000 records."""
        broker.create(topic)
        publish(kafka, topic, ((b"", b"%05d" % i) for i in range(25_000)))

        batches = list(source.read([OffsetRange(topic, 0, 0, 25_000)]))

        assert list(range(25_000)) == offsets(batches)
        assert b"24999" == values(batches)[-1]
        assert 11_000 > max(map(len, batches)) > 1_000

    def test_empty_batches(
        self, broker: KafkaTopics, patient_source: KafkaStreamSource, topic: str
    ) -> None:
        """While nothing comes, empty batches leave the reader the choice to go."""
        broker.produce(topic, *numbered(3))
        batches = patient_source.read([OffsetRange(topic, 0, 0, 5)])
        found = []

        while len(batch := next(batches)):
            found += offsets([batch])
        broker.produce(topic, *numbered(2))
        found += offsets(batches)

        assert [0, 1, 2, 3, 4] == found
        assert (topic, 0) == (batch.topic, batch.partition)

    def test_publish(
        self, kafka: str, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """The producer tells where its records lie."""
        broker.create(topic)

        first = publish(kafka, topic, numbered(3))
        second = publish(kafka, topic, [(None, b"x"), (b"y", None)])

        assert OffsetRange(topic, 0, 0, 3) == first
        assert OffsetRange(topic, 0, 3, 5) == second
        assert [b"x", b""] == values(source.read([second]))


@pytest.mark.kafka
@pytest.mark.real_kafka
class TestApacheKafka(KafkaFixtures, DeletionContract):
    """What the embedded cluster cannot do."""

    def test_deleted_while_read(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """Offsets that are deleted before they are reached are an error."""
        record = (b"", random.Random(7).randbytes(1 << 19))
        broker.produce(topic, *[record] * 320)  # more than is fetched ahead
        batches = source.read([OffsetRange(topic, 0, 0, 320)])

        next(batches)
        broker.delete_records(topic, 319)

        with pytest.raises(StreamUnreadable, match=rf"{topic}.*starts at 319"):
            list(batches)

    def test_topic_deleted_while_read(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """A topic that goes away is an error."""
        broker.produce(topic, *numbered(3))
        batches = source.read([OffsetRange(topic, 0, 0, 9)])

        next(batches)
        broker.delete(topic)

        with pytest.raises(StreamUnreadable, match=topic):
            list(batches)

    def test_topic_made_again_while_read(
        self, kafka: str, broker: KafkaTopics, topic: str
    ) -> None:
        """The records of two topics of one name are never mixed."""
        source = KafkaStreamSource(
            KafkaSettings(
                kafka,
                "control",
                streamfit_broker_deadline=3.0,
                streamfit_stream_deadline=3.0,
            )
        )
        broker.produce(topic, *numbered(3))
        batches = source.read([OffsetRange(topic, 0, 0, 9)])

        next(batches)
        broker.delete(topic)
        broker.produce(topic, *numbered(20))

        with pytest.raises((StreamUnreadable, Unavailable), match=topic):
            list(batches)

    def test_ends_on_a_marker(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """A transaction's marker takes an offset, and is no record."""
        with broker.transaction(topic, *numbered(10)):
            pass

        resolved = source.resolve([RequestedRange(topic, 0, 0, None)])

        assert (OffsetRange(topic, 0, 0, 11),) == resolved
        assert list(range(10)) == offsets(source.read(resolved))

    def test_nothing_but_markers(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """A range without a single record is read, and yields nothing."""
        with broker.transaction(topic, *numbered(1)):
            pass
        with broker.transaction(topic, *numbered(1), commit=False):
            pass
        broker.produce(topic, *numbered(1))

        assert [] == offsets(source.read([OffsetRange(topic, 0, 1, 2)]))
        assert [] == offsets(source.read([OffsetRange(topic, 0, 1, 4)]))
        assert [0, 4] == offsets(source.read([OffsetRange(topic, 0, 0, 5)]))

    def test_aborted(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """Aborted records are not delivered."""
        with broker.transaction(topic, *numbered(5), commit=False):
            pass
        with broker.transaction(topic, *numbered(5)):
            pass

        resolved = source.resolve([RequestedRange(topic, 0, 0, 12)])

        assert [6, 7, 8, 9, 10] == offsets(source.read(resolved))

    def test_open_transaction(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """Records of an open transaction are not there yet."""
        broker.produce(topic, *numbered(2))
        wanted = [RequestedRange(topic, 0, 0, 4)]

        with (
            broker.transaction(topic, *numbered(2)),
            pytest.raises(StreamUnreadable, match="ends at 2"),
        ):
            source.resolve(wanted)

        assert 4 == len(values(source.read(source.resolve(wanted))))

    def test_many_transactions(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """Whatever the mixture, and wherever a range is cut, the records are right."""
        committed = []
        end = 0
        for size in (1, 3, 300, 2, 1, 5, 700, 1):
            for commit in (True, False):
                with broker.transaction(topic, *numbered(size), commit=commit):
                    pass
                committed += range(end, end + size) if commit else []
                end += size + 1
        cuts = [0, 1, 2, 3, 4, 300, 617, 1000, end - 3, end]

        for start, stop in [*pairwise(cuts), (0, end)]:
            expected = [offset for offset in committed if start <= offset < stop]
            assert expected == offsets(
                source.read([OffsetRange(topic, 0, start, stop)])
            )

    def test_forbidden_topic(
        self, broker: KafkaTopics, source: KafkaStreamSource, topic: str
    ) -> None:
        """A topic that must not be read is an error of the deployment."""
        broker.produce(topic, *numbered(1))

        with broker.forbidden(ResourceType.TOPIC, topic):
            with pytest.raises(DeploymentInvalid, match=topic):
                source.resolve([RequestedRange(topic, 0, 0, 1)])
            with pytest.raises(DeploymentInvalid, match=topic):
                list(source.read([OffsetRange(topic, 0, 0, 1)]))


def test_unreachable() -> None:
    """Brokers that stay away are named, with the cause, after the deadline."""
    settings = KafkaSettings(CLOSED_PORT, "control", streamfit_broker_deadline=0.5)
    source = KafkaStreamSource(settings)

    with pytest.raises(Unavailable, match=rf"{CLOSED_PORT}.*Connection refused"):
        source.resolve([RequestedRange("data", 0, 0, 1)])
    with pytest.raises(Unavailable, match=rf"{CLOSED_PORT}.*Connection refused"):
        list(source.read([OffsetRange("data", 0, 0, 1)]))


def test_brokers_go_away() -> None:
    """Brokers that go away in the middle of a range never shorten it."""
    with EmbeddedKafka() as kafka:
        settings = KafkaSettings(
            kafka.bootstrap_servers,
            "control",
            streamfit_broker_deadline=0.5,
        )
        publish(kafka.bootstrap_servers, "data", numbered(3))
        batches = KafkaStreamSource(settings).read([OffsetRange("data", 0, 0, 9)])
        next(batches)

    with pytest.raises(Unavailable, match=settings.bootstrap_servers):
        list(batches)
