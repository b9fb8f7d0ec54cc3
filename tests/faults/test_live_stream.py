"""Whatever the network does, a stream that comes is neither cut short nor repeated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.kafka import KafkaLiveStream, KafkaSettings
from domain.errors import Unavailable
from ports import Followed
from tests.broker.apache_kafka import ApacheKafka
from tests.broker.topics import KafkaTopics, unique
from tests.contracts.live_stream import following, numbered, numbers, take, values
from tests.faults.proxy import Proxy, proxy

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]

BRIEF = {"socket.timeout.ms": "2000", "reconnect.backoff.max.ms": "200"}
"""Notices half-open connections soon."""

AWAY = 6.0
"""Seconds: longer than a stream's silence may last in this test."""

SILENCE = 3


@pytest.fixture
def network(apache: ApacheKafka) -> Iterator[Proxy]:
    """Put a proxy before the broker."""
    with proxy(apache.proxy, int(apache.behind.split(":")[1])) as running:
        yield running


@pytest.fixture
def topic() -> str:
    return unique("live")


@pytest.fixture
def broker(apache: ApacheKafka, topic: str) -> KafkaTopics:
    topics = KafkaTopics(apache.servers)
    topics.produce(topic, *numbered(0, 100))
    return topics


def source(network: Proxy, deadline: float = 60.0) -> KafkaLiveStream:
    """Return a source that knows the broker by the proxy alone."""
    return KafkaLiveStream(
        KafkaSettings(
            f"127.0.0.1:{network.port}",
            "control",
            streamfit_broker_deadline=deadline,
            librdkafka=BRIEF,
        ),
        refresh=0.5,
    )


def until_silence(stream: Iterator[Followed]) -> list[Followed]:
    """Return what comes until a job would take it for the end."""
    found: list[Followed] = []
    silent = 0
    while silent < SILENCE:
        found.append(next(stream))
        silent = 0 if len(found[-1].records) else silent + 1
    return found


def test_cut(network: Proxy, broker: KafkaTopics, topic: str) -> None:
    """Connections that are cut again and again are made again."""
    live = source(network)
    found: list[Followed] = []
    with following(live, live.begin(topic, 0)) as stream:
        for start in range(100, 500, 100):
            found += take(stream, 100)
            network.cut()
            broker.produce(topic, *numbered(start, start + 100))
        found += take(stream, 100)

    assert numbers(0, 500) == values(found)


def test_half_open(network: Proxy, broker: KafkaTopics, topic: str) -> None:
    """Brokers that are away are no silence: what they hold is waited for."""
    live = source(network)
    with (
        following(live, live.begin(topic, 0)) as stream,
        ThreadPoolExecutor(1) as thread,
    ):
        first = take(stream, 100)
        with network.stalled():
            rest = thread.submit(until_silence, stream)
            broker.produce(topic, *numbered(100, 200))
            time.sleep(AWAY)
        found = rest.result(60)

    assert numbers(0, 200) == values([*first, *found])


def test_away(network: Proxy, broker: KafkaTopics, topic: str) -> None:  # noqa: ARG001
    """Brokers that stay away are named."""
    live = source(network, deadline=2.0)
    with following(live, live.begin(topic, 0)) as stream:
        take(stream, 100)
        with network.stalled(), pytest.raises(Unavailable, match=str(network.port)):
            take(stream, 1)
