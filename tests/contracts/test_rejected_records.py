"""The places for bad records keep their contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka.admin import ResourceType

from adapters.kafka import KafkaRejectedRecords, KafkaSettings
from adapters.memory.rejected_records import DeadLetter, MemoryRejectedRecords
from domain.batches import RejectedRecord
from domain.errors import DeploymentInvalid, Unavailable
from tests.broker.topics import KafkaTopics, unique
from tests.contracts.rejected_records import BATCH, RejectedRecordsContract

BAD = [RejectedRecord(0, "size", "2 bytes, want 4")]


class TestMemory(RejectedRecordsContract):
    @pytest.fixture
    def place(self) -> MemoryRejectedRecords:
        return MemoryRejectedRecords()

    @pytest.fixture
    def letters(self, place: MemoryRejectedRecords) -> Callable[[], list[DeadLetter]]:
        return lambda: place.letters


@pytest.mark.kafka
class TestKafka(RejectedRecordsContract):
    @pytest.fixture
    def topic(self, kafka: str) -> str:
        topic = unique("letters")
        KafkaTopics(kafka).create(topic)
        return topic

    @pytest.fixture
    def place(self, kafka: str, topic: str) -> KafkaRejectedRecords:
        return KafkaRejectedRecords(KafkaSettings(kafka, "control"), topic)

    @pytest.fixture
    def letters(self, kafka: str, topic: str) -> Callable[[], list[DeadLetter]]:
        def read() -> list[DeadLetter]:
            return [
                DeadLetter(
                    message.key() or b"",
                    message.value() or b"",
                    {
                        name.removeprefix("streamfit."): text.decode()
                        for name, text in message.headers() or []
                    },
                )
                for message in KafkaTopics(kafka).messages(topic)
            ]

        return read


@pytest.mark.kafka
@pytest.mark.real_kafka
class TestApacheKafka:
    """What the embedded cluster cannot do."""

    def test_missing_topic(self, kafka: str) -> None:
        """A topic that is not there is named, and not made."""
        topic = unique("letters")
        place = KafkaRejectedRecords(KafkaSettings(kafka, "control"), topic)

        with pytest.raises(DeploymentInvalid, match=topic):
            place.divert(BATCH, BAD)

    def test_forbidden_topic(self, kafka: str) -> None:
        """A topic that must not be written is an error of the deployment."""
        topic = unique("letters")
        topics = KafkaTopics(kafka)
        topics.create(topic)
        place = KafkaRejectedRecords(KafkaSettings(kafka, "control"), topic)

        with (
            topics.forbidden(ResourceType.TOPIC, topic),
            pytest.raises(DeploymentInvalid, match=topic),
        ):
            place.divert(BATCH, BAD)


def test_unreachable() -> None:
    """Brokers that stay away are named, with the cause, after the deadline."""
    servers = "127.0.0.1:1"
    settings = KafkaSettings(servers, "control", streamfit_broker_deadline=0.5)

    with pytest.raises(Unavailable, match=rf"{servers}.*Connection refused"):
        KafkaRejectedRecords(settings, "letters").divert(BATCH, BAD)
