"""Whatever the network does, whole jobs end as if nothing had been."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.broker.apache_kafka import ApacheKafka, apache_kafka
from tests.faults.proxy import Proxy, proxy
from tests.faults.three_jobs import (
    SLOW,
    Outcome,
    Stream,
    ThreeJobs,
    three_jobs,
    undisturbed,
)

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]

CUTS = 4
"""How often connections are cut, twice a second."""

BRIEF = {"LIBRDKAFKA_SOCKET_TIMEOUT_MS": "20000"}
"""Notices half-open connections sooner than after the usual minute."""


@pytest.fixture(scope="module")
def broker() -> Iterator[ApacheKafka]:
    """Run a broker that no other test uses: its proxy's port is ours."""
    with apache_kafka() as broker:
        yield broker


@pytest.fixture(scope="module")
def sent(broker: ApacheKafka) -> Stream:
    """Send what all jobs are trained on."""
    return Stream.sent(broker.servers)


@pytest.fixture(scope="module")
def expected(sent: Stream, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return what an undisturbed job hands in."""
    return undisturbed(sent, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def lane(broker: ApacheKafka) -> Iterator[Proxy]:
    """Put a proxy before the broker that can be left for good."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with proxy(port, int(broker.behind.split(":")[1])) as running:
        yield running


@pytest.fixture
def network(broker: ApacheKafka, lane: Proxy) -> Iterator[Proxy]:
    """Put the proxy that the broker sends clients to before that one."""
    with proxy(broker.proxy, lane.port) as running:
        yield running


@pytest.fixture
def jobs(
    broker: ApacheKafka, sent: Stream, network: Proxy, tmp_path
) -> Iterator[ThreeJobs]:
    """Bring three jobs that know the broker by the proxy alone into their states."""
    through = dict.fromkeys(
        ("waiting", "reading", "training"), f"127.0.0.1:{broker.proxy}"
    )
    with three_jobs(sent.afresh(), tmp_path, through=through, variables=BRIEF) as jobs:
        jobs.begin(network)
        yield jobs


def test_cut(jobs, network, expected):
    """Connections that are cut again and again."""
    for _ in range(CUTS):
        network.cut()
        jobs.require_states(network)
        time.sleep(0.5)
    jobs.train_epoch()
    network.bytes_per_second = None

    assert [expected] * 3 == jobs.finish()


def test_slow(jobs, network, expected):
    """A link that lets 56 kB through in a second, for twenty of them."""
    network.bytes_per_second = SLOW
    jobs.train_epoch()
    time.sleep(20)
    jobs.require_states(network)
    network.bytes_per_second = None

    assert [expected] * 3 == jobs.finish()


def test_half_open(jobs, lane, network, expected):
    """Connections through which nothing comes any more, without a word; new ones do."""
    with lane.stalled():
        network.target = lane.target
        jobs.require_states(network)
        jobs.train_epoch()
        network.bytes_per_second = None

        assert [expected] * 3 == jobs.finish()
