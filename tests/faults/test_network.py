"""Whatever the network does, each record is read exactly once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from threading import Timer

import pytest

from adapters.kafka import KafkaSettings, KafkaStreamSource
from domain.errors import Unavailable
from domain.offsets import OffsetRange
from tests.broker.apache_kafka import ApacheKafka
from tests.broker.topics import KafkaTopics, unique
from tests.faults.proxy import Proxy, proxy
from tests.faults.stream import content, stream

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]

COUNT = 30_000
RECORDS = stream(COUNT)
"""30 MB: more than is fetched ahead."""

BRIEF = {"socket.timeout.ms": "2000", "reconnect.backoff.max.ms": "200"}
"""Notices half-open connections soon."""


@pytest.fixture
def network(apache: ApacheKafka) -> Iterator[Proxy]:
    """Put a proxy before the broker."""
    with proxy(apache.proxy, int(apache.behind.split(":")[1])) as running:
        yield running


@pytest.fixture(scope="module")
def topic(apache: ApacheKafka) -> str:
    """Return a topic with all records in each of two partitions."""
    topic = unique("network")
    for partition in (1, 0):
        KafkaTopics(apache.servers).produce(topic, *RECORDS, partition=partition)
    return topic


@pytest.fixture
def ranges(topic: str) -> list[OffsetRange]:
    return [OffsetRange(topic, partition, 0, COUNT) for partition in (0, 1)]


def source(
    network: Proxy, deadline: float = 60.0, properties: Mapping[str, str] = BRIEF
) -> KafkaStreamSource:
    """Return a source that knows the broker by the proxy alone."""
    return KafkaStreamSource(
        KafkaSettings(
            f"127.0.0.1:{network.port}",
            "control",
            streamfit_broker_deadline=deadline,
            librdkafka=properties,
        )
    )


def test_cut(network: Proxy, ranges: list[OffsetRange]) -> None:
    """Connections that are cut again and again are made again."""
    found = []
    for number, batch in enumerate(source(network).read(ranges)):
        found += content([batch])
        if number % 3 == 0:
            network.cut()

    assert RECORDS + RECORDS == found


def test_half_open(network: Proxy, ranges: list[OffsetRange]) -> None:
    """Connections through which nothing comes any more are given up, and made again."""
    batches = source(network).read(ranges)
    found = content([next(batches)])

    with network.stalled():
        Timer(3.0, network._open.set).start()
        found += content(batches)

    assert RECORDS + RECORDS == found


def test_slow(network: Proxy, ranges: list[OffsetRange]) -> None:
    """A slow network makes empty batches, and no shorter stream."""
    network.bytes_per_second = 500_000
    found, empty = [], 0
    for batch in source(network, 2.0, {}).read(ranges[:1]):
        found += content([batch])
        empty += not len(batch)
        if empty == 2:
            network.bytes_per_second = None

    assert RECORDS == found
    assert 2 <= empty


def test_away(network: Proxy, ranges: list[OffsetRange]) -> None:
    """Brokers that stay away past the deadline are an error, and no shorter stream."""
    batches = source(network, deadline=1.0).read(ranges)
    next(batches)

    with network.stalled(), pytest.raises(Unavailable, match=str(network.port)):
        list(batches)


def test_slow_reader(network: Proxy, ranges: list[OffsetRange]) -> None:
    """A reader may pause for longer than the deadline, and than connections last."""
    batches = source(network, deadline=0.5).read(ranges)
    found = content([next(batches)])

    network.cut()
    time.sleep(1.0)
    found += content(batches)

    assert RECORDS + RECORDS == found
