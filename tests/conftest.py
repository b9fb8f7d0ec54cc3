"""
The broker that the tests share.

Apache Kafka at ``STREAMFIT_TEST_BROKERS``, or else one that is started here if Java and
Maven are there, or else the embedded cluster, which cannot do everything.  With
``STREAMFIT_REQUIRE_KAFKA=1`` only the first two will do.  Pages are looked at with
Chromium if that is there; with ``STREAMFIT_REQUIRE_BROWSER=1`` it must be.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest
from attrs import asdict

from adapters.kafka import EmbeddedKafka
from tests.broker.apache_kafka import ApacheKafka, apache_kafka
from tests.browser.chromium import Browser, browser, chromium
from tests.tally import Tally

LEFT_OUT = pytest.StashKey[list[tuple[str, str]]]()
TALLY = pytest.StashKey[Tally]()
REASON = "needs Apache Kafka: no STREAMFIT_TEST_BROKERS, and no Java with Maven"
NO_BROWSER = "looks at pages: there is no Chromium (make browser)"


def has_real_kafka() -> bool:
    """Whether a real Apache Kafka is there, or can be started."""
    if os.environ.get("STREAMFIT_TEST_BROKERS"):
        return True
    return all(map(shutil.which, ("java", "mvn")))


def requires_real_kafka() -> bool:
    """Whether doing without one is a failure."""
    return os.environ.get("STREAMFIT_REQUIRE_KAFKA") == "1"


@pytest.fixture(scope="session")
def apache() -> Iterator[ApacheKafka]:
    """Run a real Apache Kafka of our own, with all its listeners."""
    with apache_kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a broker for the whole session; the value is its address."""
    if servers := os.environ.get("STREAMFIT_TEST_BROKERS"):
        yield servers
    elif has_real_kafka():
        yield request.getfixturevalue("apache").servers
    elif requires_real_kafka():
        pytest.fail(REASON)
    else:
        with EmbeddedKafka() as embedded:
            yield embedded.bootstrap_servers


@pytest.fixture(scope="session")
def chrome(temporary: None) -> Iterator[Browser]:  # noqa: ARG001  # what it leaves
    """Run Chromium, without a window."""
    with browser() as running:
        yield running


@pytest.fixture(autouse=True, scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what jobs leave that are killed where it goes with the tests."""
    folder = str(tmp_path_factory.mktemp("temporary"))
    os.environ["TMPDIR"] = tempfile.tempdir = folder


@pytest.fixture(autouse=True, scope="module")
def forgotten_models() -> Iterator[None]:
    """Give back what Keras remembers of every model: megabytes each."""
    yield
    for name in ("keras", "tf_keras"):
        if engine := sys.modules.get(name):
            engine.backend.clear_session()
    gc.collect()


@pytest.fixture
def tally(pytestconfig: pytest.Config) -> Tally:
    """Count what became of the jobs that were killed."""
    return pytestconfig.stash[TALLY]


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.stash[LEFT_OUT] = []
    config.stash[TALLY] = Tally()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what the embedded cluster cannot do, and what nobody can look at."""
    if item.get_closest_marker("real_kafka") and not has_real_kafka():
        leave_out(item, REASON, required=requires_real_kafka())
    if item.get_closest_marker("browser") and chromium() is None:
        required = os.environ.get("STREAMFIT_REQUIRE_BROWSER") == "1"
        leave_out(item, NO_BROWSER, required=required)


def leave_out(item: pytest.Item, reason: str, *, required: bool) -> None:
    """Leave *item* out and remember it, or let it fail."""
    if required:
        pytest.fail(reason)
    item.config.stash[LEFT_OUT].append((reason, item.nodeid))
    pytest.skip(reason)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts to the process that reports, if it is another one."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["left_out"] = session.config.stash[LEFT_OUT]
        told["tally"] = asdict(session.config.stash[TALLY])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Take the counts of a process that has ended."""
    told = getattr(node, "workeroutput", {})
    if "tally" in told:  # else it has crashed
        node.config.stash[LEFT_OUT] += map(tuple, told["left_out"])
        node.config.stash[TALLY].add(told["tally"])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left out, so that a green run is not taken for a complete one."""
    if (tally := config.stash[TALLY]).points:
        terminalreporter.section("jobs that were killed")
        for line in tally.lines():
            terminalreporter.line(line)
    if left_out := config.stash[LEFT_OUT]:
        terminalreporter.section("left out")
        for reason in dict.fromkeys(reason for reason, _ in left_out):
            tests = [test for why, test in left_out if why == reason]
            terminalreporter.line(f"{len(tests)} tests: {reason}")
            for test in tests:
                terminalreporter.line(f"  {test}")
