"""The live streams keep their contract."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import ResourceType

from adapters.kafka import KafkaLiveStream, KafkaSettings
from adapters.memory.broker import MemoryBroker
from domain.errors import DeploymentInvalid, Unavailable
from domain.progress import LivePosition
from tests.broker.topics import KafkaTopics, unique
from tests.contracts.live_stream import (
    LiveStreamContract,
    a_moment,
    following,
    numbered,
    numbers,
    silence,
    take,
    values,
)

CLOSED_PORT = "127.0.0.1:1"


class TestMemory(LiveStreamContract):
    @pytest.fixture
    def topic(self) -> str:
        return "data"

    @pytest.fixture
    def broker(self) -> MemoryBroker:
        return MemoryBroker(batch_size=3)

    @pytest.fixture
    def source(self, broker: MemoryBroker) -> MemoryBroker:
        return broker


@pytest.mark.kafka
@pytest.mark.real_kafka
class TestKafka(LiveStreamContract):
    @pytest.fixture
    def topic(self) -> str:
        return unique("live")

    @pytest.fixture
    def broker(self, kafka: str) -> KafkaTopics:
        return KafkaTopics(kafka)

    @pytest.fixture
    def source(self, kafka: str) -> KafkaLiveStream:
        return KafkaLiveStream(KafkaSettings(kafka, "control"), refresh=0.5)

    def test_transactions(
        self, broker: KafkaTopics, source: KafkaLiveStream, topic: str
    ) -> None:
        """Open transactions are waited for; aborted ones and markers passed over."""
        broker.produce(topic, *numbered(0, 2))
        with following(source, source.begin(topic, 0)) as stream:
            take(stream, 2)
            with broker.transaction(topic, *numbered(2, 5)):
                silence(stream)
            committed = take(stream, 3)
            with broker.transaction(topic, *numbered(5, 7), commit=False):
                silence(stream)
            behind = silence(stream)
            while behind.position.offsets[0] < 9:
                behind = silence(stream)
            broker.produce(topic, *numbered(7, 8))
            found = take(stream, 1)

        assert numbers(2, 5) == values(committed)
        assert numbers(7, 8) == values(found)
        assert [9] == list(found[-1].records.offsets)

    def test_no_group(
        self, broker: KafkaTopics, source: KafkaLiveStream, topic: str
    ) -> None:
        """No right to use a consumer group is needed."""
        broker.produce(topic, *numbered(0, 3))

        with (
            broker.forbidden(ResourceType.GROUP, "streamfit"),
            following(source, source.begin(topic, 0)) as stream,
        ):
            assert numbers(0, 3) == values(take(stream, 3))

    def test_forbidden(
        self, broker: KafkaTopics, source: KafkaLiveStream, topic: str
    ) -> None:
        """A topic that must not be read is an end for good."""
        broker.produce(topic, *numbered(0, 3))

        with (
            broker.forbidden(ResourceType.TOPIC, topic),
            pytest.raises(DeploymentInvalid, match=topic),
        ):
            source.begin(topic, a_moment())

    def test_large_and_small(
        self, broker: KafkaTopics, source: KafkaLiveStream, topic: str
    ) -> None:
        """Many records come in batches, none of them twice."""
        broker.produce(topic, *numbered(0, 30_000))

        with following(source, source.begin(topic, 0)) as stream:
            found = take(stream, 30_000)

        assert numbers(0, 30_000) == values(found)
        assert len(found) < 100


def test_unreachable() -> None:
    """Brokers that stay away are no silence."""
    settings = KafkaSettings(CLOSED_PORT, "control", streamfit_broker_deadline=0.5)

    with (
        following(KafkaLiveStream(settings), LivePosition("data", {0: 0})) as stream,
        pytest.raises(Unavailable, match=rf"{CLOSED_PORT}.*Connection refused"),
    ):
        take(stream, 1)
