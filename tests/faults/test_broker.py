"""Whatever becomes of the broker, each record is read exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

import pytest

from adapters.kafka import KafkaControlSource, KafkaSettings, KafkaStreamSource
from domain.errors import Unavailable
from domain.offsets import OffsetRange, RequestedRange
from tests.broker.apache_kafka import ApacheKafka, apache_kafka
from tests.broker.topics import KafkaTopics, unique
from tests.builders import control_message
from tests.faults.stream import content, stream

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]

COUNT = 60_000
RECORDS = stream(COUNT)
"""60 MB: more than is fetched ahead."""


@pytest.fixture(scope="module")
def mortal() -> Iterator[ApacheKafka]:
    """Run a broker that may be killed."""
    with apache_kafka() as broker:
        yield broker


@pytest.fixture
def topic(mortal: ApacheKafka) -> str:
    """Return a topic with all records."""
    topic = unique("mortal")
    KafkaTopics(mortal.servers).produce(topic, *RECORDS)
    return topic


def settings(broker: ApacheKafka, deadline: float = 60.0) -> KafkaSettings:
    """Return settings that bear an absence of *deadline* seconds."""
    return KafkaSettings(broker.servers, "control", streamfit_broker_deadline=deadline)


@contextmanager
def meanwhile(broker: ApacheKafka) -> Iterator[None]:
    """Kill the broker, and start it again while the test goes on."""
    broker.kill()
    broker.launch()
    yield
    broker.wait()


def test_killed(mortal: ApacheKafka, topic: str) -> None:
    """A broker that is killed and starts again is waited for."""
    source = KafkaStreamSource(settings(mortal))
    batches = source.read(source.resolve([RequestedRange(topic, 0, 0, None)]))
    found = content([next(batches)])

    with meanwhile(mortal):
        found += content(batches)

    assert RECORDS == found


def test_stopped(mortal: ApacheKafka, topic: str) -> None:
    """A broker that does not answer for some seconds is waited for."""
    batches = KafkaStreamSource(settings(mortal)).read(
        [OffsetRange(topic, 0, 0, COUNT)]
    )
    found = content([next(batches)])

    with mortal.paused():
        assert mortal._process
        Timer(3.0, mortal._process.send_signal, [18]).start()
        found += content(batches)

    assert RECORDS == found


def test_stays_away(mortal: ApacheKafka, topic: str) -> None:
    """A broker that stays away is an error, and no shorter stream."""
    source = KafkaStreamSource(settings(mortal, deadline=1.0))
    batches = source.read([OffsetRange(topic, 0, 0, COUNT)])
    next(batches)

    mortal.kill()
    try:
        with pytest.raises(Unavailable, match=mortal.servers):
            list(batches)
    finally:
        mortal.start()


def test_control_topic(mortal: ApacheKafka) -> None:
    """Control messages are read on after the broker was away, none twice."""
    topic = unique("control")
    topics = KafkaTopics(mortal.servers)
    topics.produce(topic, (b"\x01", control_message()))
    messages = KafkaControlSource(KafkaSettings(mortal.servers, topic)).messages()
    first = next(messages)

    with meanwhile(mortal):
        pass
    topics.produce(topic, (b"\x02", control_message()))
    second = next(messages)
    messages.close()  # type: ignore[attr-defined]

    assert [1, 2] == [first.deployment_id, second.deployment_id]
