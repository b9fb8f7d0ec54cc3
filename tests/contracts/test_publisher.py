"""The publishers keep their contract."""

from __future__ import annotations

import pytest
from attrs import evolve
from confluent_kafka.admin import ResourceType

from adapters.kafka import (
    KafkaControlSource,
    KafkaPublisher,
    KafkaSettings,
    KafkaStreamSource,
)
from adapters.memory.broker import MemoryBroker
from adapters.memory.publisher import MemoryPublisher
from domain.batches import BinaryColumn
from domain.errors import DeploymentInvalid, Unavailable
from domain.request import DecoderSpec, DeploymentId
from domain.sending import Announcement, OutgoingRecords
from tests.broker.topics import KafkaTopics, unique
from tests.contracts.publisher import (
    MissingTopicContract,
    PublisherContract,
    ignore,
    outgoing,
)

CLOSED_PORT = "127.0.0.1:1"
ANNOUNCEMENT = Announcement("data", DecoderSpec("RAW", {}), None)


class TestMemory(PublisherContract, MissingTopicContract):
    @pytest.fixture
    def topic(self) -> str:
        return "data"

    @pytest.fixture
    def broker(self, topic: str) -> MemoryBroker:
        broker = MemoryBroker()
        broker.create(topic, 2)
        broker.create(broker.control_topic)
        return broker

    @pytest.fixture
    def source(self, broker: MemoryBroker) -> MemoryBroker:
        return broker

    @pytest.fixture
    def control(self, broker: MemoryBroker) -> MemoryBroker:
        return broker

    @pytest.fixture
    def publisher(self, broker: MemoryBroker) -> MemoryPublisher:
        return MemoryPublisher(broker)

    def test_no_room(self, publisher: MemoryPublisher, topic: str) -> None:
        """A broker that stays away is an error that counts what it took."""
        publisher.room = 3

        with pytest.raises(Unavailable, match=r"^data: 3 records were delivered"):
            publisher.publish(topic, [outgoing(*range(5))], ignore)
        with pytest.raises(Unavailable, match="the control message was not accepted"):
            publisher.announce(DeploymentId(1), ANNOUNCEMENT)


class KafkaFixtures:
    """Topics that no other test uses."""

    @pytest.fixture
    def broker(self, kafka: str) -> KafkaTopics:
        return KafkaTopics(kafka)

    @pytest.fixture
    def topic(self, broker: KafkaTopics) -> str:
        topic = unique("data")
        broker.create(topic, 2)
        return topic

    @pytest.fixture
    def settings(self, kafka: str, broker: KafkaTopics) -> KafkaSettings:
        control = unique("control")
        broker.create(control)
        return KafkaSettings(kafka, control)

    @pytest.fixture
    def source(self, settings: KafkaSettings) -> KafkaStreamSource:
        return KafkaStreamSource(settings)

    @pytest.fixture
    def control(self, settings: KafkaSettings) -> KafkaControlSource:
        return KafkaControlSource(settings)

    @pytest.fixture
    def publisher(self, settings: KafkaSettings) -> KafkaPublisher:
        return KafkaPublisher(settings, birth=1.0)


@pytest.mark.kafka
class TestKafka(KafkaFixtures, PublisherContract):
    """What any Kafka does, the embedded one included."""


@pytest.mark.kafka
@pytest.mark.real_kafka
class TestApacheKafka(KafkaFixtures, MissingTopicContract):
    """What the embedded cluster cannot do."""

    def test_missing_control_topic(self, kafka: str, topic: str) -> None:
        """A control topic that is not there is named, before and after."""
        control = unique("control")
        publisher = KafkaPublisher(KafkaSettings(kafka, control), birth=0.5)

        with pytest.raises(DeploymentInvalid, match=f"^{control}: no such topic"):
            publisher.require(topic)
        with pytest.raises(DeploymentInvalid, match=f"^{control}: .* no such topic"):
            publisher.announce(DeploymentId(1), ANNOUNCEMENT)

    def test_forbidden(
        self, publisher: KafkaPublisher, broker: KafkaTopics, topic: str
    ) -> None:
        """A topic that must not be written is an error of the deployment."""
        with (
            broker.forbidden(ResourceType.TOPIC, topic),
            pytest.raises(DeploymentInvalid, match=f"^{topic}: 0 records"),
        ):
            publisher.publish(topic, [outgoing(1)], ignore)

    def test_too_large(
        self, publisher: KafkaPublisher, broker: KafkaTopics, kafka: str
    ) -> None:
        """A record beyond the topic's limit ends everything, and is counted out."""
        topic = unique("data")
        broker.create(topic, max_message_bytes="20000")
        large = OutgoingRecords(
            BinaryColumn.pack([b""]), BinaryColumn.pack([bytes(range(256)) * 4000])
        )
        plain = KafkaPublisher(
            evolve(publisher.settings, librdkafka={"compression.type": "none"})
        )

        with pytest.raises(DeploymentInvalid, match=f"^{topic}: .*too large"):
            plain.publish(topic, [outgoing(1), large], ignore)

    def test_large(
        self, publisher: KafkaPublisher, topic: str, source: KafkaStreamSource
    ) -> None:
        """A record of more than librdkafka's usual limit is no matter."""
        value = bytes(range(256)) * 20_000
        records = OutgoingRecords(BinaryColumn.pack([b"1"]), BinaryColumn.pack([value]))

        ranges = publisher.publish(topic, [records], ignore)

        (batch,) = [batch for batch in source.read(ranges) if len(batch)]
        assert value == batch.values.data


class TestUnreachable:
    @pytest.fixture
    def publisher(self) -> KafkaPublisher:
        return KafkaPublisher(
            KafkaSettings(CLOSED_PORT, "control", streamfit_broker_deadline=0.5)
        )

    def test_all(self, publisher: KafkaPublisher) -> None:
        """Brokers that stay away are named, with the cause, after the deadline."""
        reason = rf"{CLOSED_PORT}: away for .*Connection refused"

        with pytest.raises(Unavailable, match=f"^{reason}"):
            publisher.require("data")
        with pytest.raises(Unavailable, match=f"^data: 0 records.* {reason}"):
            publisher.publish("data", [outgoing(1)], ignore)
        with pytest.raises(Unavailable, match=f"^control: .* {reason}"):
            publisher.announce(DeploymentId(1), ANNOUNCEMENT)
