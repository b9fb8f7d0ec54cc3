"""Whatever becomes of the broker, whole jobs end as if nothing had been."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache

import pytest

from tests.broker.apache_kafka import ApacheKafka, apache_kafka
from tests.faults.proxy import Proxy, proxy
from tests.faults.three_jobs import Outcome, Stream, three_jobs, undisturbed

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]


@pytest.fixture(scope="module")
def mortal() -> Iterator[ApacheKafka]:
    """Run a broker that may be killed."""
    with apache_kafka() as broker:
        yield broker


@pytest.fixture(scope="module")
def sent(mortal: ApacheKafka) -> Stream:
    """Send what all jobs are trained on."""
    return Stream.sent(mortal.servers)


@pytest.fixture
def stream(sent: Stream) -> Stream:
    """Return the stream with a control topic of its own."""
    return sent.afresh()


@pytest.fixture(scope="module")
def expected(
    sent: Stream, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Outcome]:
    """Return what an undisturbed job hands in, by its engine."""

    @cache
    def outcome(engine: str) -> Outcome:
        return undisturbed(sent, tmp_path_factory.mktemp(engine), engine)

    return outcome


def network(broker: ApacheKafka) -> AbstractContextManager[Proxy]:
    """Put a proxy before the broker, at which a stream can take a while."""
    return proxy(broker.proxy, int(broker.behind.split(":")[1]))


@pytest.mark.parametrize(
    ("engine", "seconds"), [("tensorflow", 0.0), ("fake", 60.0)], ids=["killed", "away"]
)
def test_killed(mortal, stream, expected, tmp_path, engine, seconds):
    """A broker that is killed, and starts again at once or after a minute."""
    wanted = expected(engine)
    through = {"reading": mortal.behind}

    with three_jobs(stream, tmp_path, through=through, engine=engine) as jobs:
        with network(mortal) as slow:
            jobs.begin(slow)
            mortal.kill()
            jobs.require_states(slow)
        jobs.train_epoch()
        time.sleep(seconds)
        mortal.start()
        with network(mortal):
            found = jobs.finish()

    assert [wanted] * 3 == found


def test_stopped(mortal, stream, expected, tmp_path):
    """A broker that says nothing for a while, and then goes on."""
    wanted = expected("fake")
    through = {"reading": mortal.behind}

    with (
        network(mortal) as slow,
        three_jobs(stream, tmp_path, through=through) as jobs,
    ):
        jobs.begin(slow)
        with mortal.paused():
            jobs.require_states(slow)
            jobs.train_epoch()
            time.sleep(20)
            jobs.require_states(slow)
        slow.bytes_per_second = None
        found = jobs.finish()

    assert [wanted] * 3 == found


def test_past_deadline(mortal, stream, expected, tmp_path):
    """A broker that is away for too long ends the jobs that need it, and no other."""
    wanted = expected("fake")
    deadline = {"STREAMFIT_BROKER_DEADLINE": "5"}
    through = {"reading": mortal.behind}

    with three_jobs(stream, tmp_path, through=through, variables=deadline) as jobs:
        with network(mortal) as slow:
            jobs.begin(slow)
            mortal.kill()
            jobs.require_states(slow)
        try:
            codes = jobs.waiting.code(), jobs.reading.code()
            jobs.open_gate()
            found = jobs.training.outcome()
        finally:
            mortal.start()

    assert (75, 75) == codes
    assert wanted == found
    for worker, servers in (
        (jobs.waiting, mortal.servers),
        (jobs.reading, mortal.behind),
    ):
        (line,) = worker.job.logged("job failed")
        assert re.fullmatch(
            rf"{servers}: away for \d+ seconds: .*onnect.*", line["reason"]
        )
        assert [] == worker.backend.results
        assert [] == worker.job.foreign
