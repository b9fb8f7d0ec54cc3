"""The control sources keep their contract."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

import pytest
from confluent_kafka.admin import ResourceType

from adapters.kafka import KafkaControlSource, KafkaSettings
from adapters.memory.broker import MemoryBroker
from domain.errors import DeploymentInvalid, Unavailable
from tests.broker.topics import KafkaTopics, unique
from tests.contracts.control_source import ControlSourceContract, take
from tests.contracts.logged import PATIENCE

CLOSED_PORT = "127.0.0.1:1"


def interrupt(*_: object) -> None:
    """Take a signal as `bootstrap.main` does."""
    sys.exit(128 + signal.SIGTERM)


class TestMemory(ControlSourceContract):
    @pytest.fixture
    def topic(self) -> str:
        return "control"

    @pytest.fixture
    def broker(self, topic: str) -> MemoryBroker:
        return MemoryBroker(topic, patience=PATIENCE)

    @pytest.fixture
    def source(self, broker: MemoryBroker) -> MemoryBroker:
        return broker

    def test_impatient(self) -> None:
        """Without patience the messages end with the topic."""
        broker = MemoryBroker()
        broker.produce("control", (b"\x01", b""))

        assert [1] == [m.deployment_id for m in broker.messages()]


@pytest.mark.kafka
class TestKafka(ControlSourceContract):
    @pytest.fixture
    def topic(self) -> str:
        return unique("control")

    @pytest.fixture
    def broker(self, kafka: str) -> KafkaTopics:
        return KafkaTopics(kafka)

    @pytest.fixture
    def source(self, kafka: str, topic: str) -> KafkaControlSource:
        return KafkaControlSource(KafkaSettings(kafka, topic), refresh=0.1)

    def test_signal(self, source: KafkaControlSource, waiting: Event) -> None:
        """A signal ends the wait for a message."""
        before = signal.signal(signal.SIGUSR1, interrupt)

        def send() -> None:
            waiting.wait(PATIENCE)
            signal.raise_signal(signal.SIGUSR1)

        try:
            with (
                closing(source.messages()) as messages,
                ThreadPoolExecutor(1) as thread,
            ):
                thread.submit(send)
                with pytest.raises(SystemExit):
                    next(messages)
        finally:
            signal.signal(signal.SIGUSR1, before)

    def test_deadline(self, kafka: str, broker: KafkaTopics, topic: str) -> None:
        """Messages of others do not put the deadline off; those before it come."""
        broker.produce(topic, (b"\x01", b""))
        settings = KafkaSettings(kafka, topic, streamfit_control_deadline=1.0)

        with closing(KafkaControlSource(settings).messages()) as messages:
            first = next(messages)
            with pytest.raises(Unavailable, match=f"{topic}: no control message"):
                next(messages)

        assert 1 == first.deployment_id

    def test_heartbeat(
        self, kafka: str, topic: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log says that the wait goes on."""
        caplog.set_level("INFO")
        settings = KafkaSettings(kafka, topic, streamfit_control_deadline=2.0)

        with pytest.raises(Unavailable):
            take(KafkaControlSource(settings, heartbeat=0.5), 1)

        assert "still waiting for a control message" in caplog.messages

    @pytest.mark.real_kafka
    def test_more_partitions(
        self,
        broker: KafkaTopics,
        source: KafkaControlSource,
        topic: str,
    ) -> None:
        """Partitions that are added while the topic is read are read as well."""
        broker.produce(topic, (b"\x01", b""))

        with closing(source.messages()) as messages:
            first = next(messages)
            broker.produce(topic, (b"\x02", b""), partition=1)
            second = next(messages)

        assert [1, 2] == [first.deployment_id, second.deployment_id]

    @pytest.mark.real_kafka
    def test_topic_made_again(
        self,
        broker: KafkaTopics,
        source: KafkaControlSource,
        topic: str,
    ) -> None:
        """A topic that is deleted and made again is read from its beginning."""
        broker.produce(topic, (b"\x01", b""), (b"\x02", b""))

        with closing(source.messages()) as messages:
            first = next(messages)
            broker.delete(topic)
            broker.produce(topic, (b"\x03", b""))
            rest = [next(messages)]
            while rest[-1].deployment_id == 2:
                rest.append(next(messages))

        assert 1 == first.deployment_id
        assert 3 == rest[-1].deployment_id

    @pytest.mark.real_kafka
    def test_present_around_markers(
        self, broker: KafkaTopics, source: KafkaControlSource, topic: str
    ) -> None:
        """Offsets without a message, also the last ones, are not waited for."""
        broker.produce(topic, (b"\x01", b""))
        broker.produce(topic, (b"\x02", b""))
        broker.delete_records(topic, 1)
        with broker.transaction(topic, (b"\x03", b""), commit=False):
            pass

        messages = source.present()

        assert messages is not None
        assert [2] == [message.deployment_id for message in messages]

    @pytest.mark.real_kafka
    def test_present_in_a_forbidden_topic(
        self, broker: KafkaTopics, source: KafkaControlSource, topic: str
    ) -> None:
        """Nobody need read what must not be read."""
        broker.produce(topic, (b"\x01", b""))

        with (
            broker.forbidden(ResourceType.TOPIC, topic),
            pytest.raises(DeploymentInvalid, match=topic),
        ):
            list(source.present() or ())

    @pytest.mark.real_kafka
    def test_forbidden_topic(
        self, broker: KafkaTopics, source: KafkaControlSource, topic: str
    ) -> None:
        """No other message can help if the topic must not be read."""
        broker.create(topic)

        with (
            broker.forbidden(ResourceType.TOPIC, topic),
            pytest.raises(DeploymentInvalid, match=topic),
        ):
            take(source, 1)

    @pytest.mark.real_kafka
    def test_forbidden_group(
        self, broker: KafkaTopics, source: KafkaControlSource, topic: str
    ) -> None:
        """No right to use a consumer group is needed."""
        broker.produce(topic, (b"\x07", b""))

        with broker.forbidden(ResourceType.GROUP, "streamfit"):
            (message,) = take(source, 1)

        assert 7 == message.deployment_id


def test_unreachable() -> None:
    """Brokers that stay away are named, with the cause, after the deadline."""
    settings = KafkaSettings(CLOSED_PORT, "control", streamfit_broker_deadline=0.5)
    source = KafkaControlSource(settings)

    with pytest.raises(Unavailable, match=rf"{CLOSED_PORT}.*Connection refused"):
        take(source, 1)
    with pytest.raises(Unavailable, match=rf"{CLOSED_PORT}.*Connection refused"):
        source.present()
