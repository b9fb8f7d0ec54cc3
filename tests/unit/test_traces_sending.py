"""How traces are sent, and what becomes of the job if nobody takes them."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from functools import partial

import pytest

from adapters.report.masking import hidden
from adapters.traces import sending
from adapters.traces.sending import tracing
from adapters.traces.settings import TracesSettings
from domain.events import EpochEnded, JobEnded
from domain.phases import Phase
from domain.report import EpochMetrics
from tests import stories
from tests.collector import PATH, collecting
from tests.scripted_server import ScriptedServer, closed_port, send
from tests.tracing import FACTS, MINUTES, TRACE, deliver, settle, traced

CANARY = "c4n4ry-in-a-c0al-mine"


@pytest.fixture
def collector():
    with collecting() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Keep the tests' own traces out of this, if there are any, and each other's."""
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    yield
    settle()


@pytest.fixture
def warnings(caplog):
    """Return what was warned of, by anybody."""
    caplog.set_level(logging.INFO)

    def warned():
        return [one for one in caplog.records if one.levelno >= logging.WARNING]

    return warned


class TestStandardVariables:
    @pytest.mark.parametrize(
        ("variables", "name"),
        [
            ({}, "streamfit"),
            ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
            ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=its,a=b"}, "its"),
        ],
    )
    def test_service(self, variables, name, collector, monkeypatch):
        """Its name is ours unless somebody has given another one."""
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        with traced(collector.url) as listener:
            listener(JobEnded(0))

        (job,) = collector.spans
        assert (name, "0.1.0") == (
            job.resource["service.name"],
            job.resource["service.version"],
        )
        assert ("a" in job.resource) == ("RESOURCE" in "".join(variables))

    def test_read_by_the_sdk(self, collector, monkeypatch):
        """Headers and compression are what the SDK reads."""
        given = f"api-key={CANARY},x=a%20b"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", given)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        with traced(collector.url) as listener:
            deliver(listener)

        (headers,) = collector.headers
        assert (CANARY, "a b") == (headers["api-key"], headers["x"])
        assert "gzip" == headers["Content-Encoding"]
        assert CANARY.encode() not in b"".join(collector.bodies)

    def test_odd(self, collector, monkeypatch, warnings):
        """What the SDK says of its settings is told, without secrets."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", CANARY)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
        with traced(
            collector.url, lambda text: text.replace(CANARY, "***")
        ) as listener:
            listener(JobEnded(0))

        assert 1 == len(collector.spans)
        reasons = [one.reason for one in warnings()]
        assert 2 == len(reasons)
        assert CANARY not in "".join(reasons)
        assert any("soon" in reason for reason in reasons)

    def test_nothing_is_left(self, collector):
        """The SDK's own log is what it was."""
        logger = logging.getLogger("opentelemetry")
        with traced(collector.url) as listener:
            assert not logger.propagate
            listener(JobEnded(0))

        assert logger.propagate
        assert [] == logger.handlers


@contextmanager
def answering(status):
    with collecting() as running:
        running.status = status
        yield running.url


@contextmanager
def playing(*acts):
    with ScriptedServer(*acts) as server:
        yield server.url.removesuffix("/results/3")


@contextmanager
def away():
    with closed_port() as url:
        yield url.removesuffix("/results/3")


def login(url):
    return url.replace("http://", f"http://user:{CANARY}@") + f"{PATH}?key={CANARY}"


OTHERS = {
    "away": (away, "refused"),
    "hanging": (partial(playing, ScriptedServer.hang), ""),
    "dripping": (partial(playing, ScriptedServer.drip), ""),
    "500": (partial(answering, 500), "500"),
    "503": (partial(answering, 503), "Service Unavailable"),
    "401": (partial(answering, 401), "401"),
    "no HTTP": (partial(playing, send(b"what?\r\n\r\n")), "BadStatusLine"),
}
"""Collectors that take nothing, and what is said of them."""


class TestAway:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")

    @pytest.mark.parametrize(("other", "says"), OTHERS.values(), ids=OTHERS)
    def test_one_warning(self, other, says, warnings, monkeypatch):
        """However often it fails; the job goes on, and ends."""
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        monkeypatch.setattr(sending, "SECONDS", 1.0)
        secrets = partial(hidden, known=(CANARY,))
        with (
            other() as url,
            tracing(
                TracesSettings(otel_exporter_otlp_traces_endpoint=login(url)),
                TRACE,
                FACTS,
                secrets,
            ) as listener,
        ):
            for _ in range(10):
                stories.training(listener, 5)
                time.sleep(0.02)
            deliver(listener)

        (warning,) = warnings()
        assert "traces are not sent" == warning.message
        assert warning.address.startswith("http://***@127.0.0.1:")
        assert says in warning.reason
        assert CANARY not in f"{warning.address} {warning.reason}"
        assert warning.exc_info is None

    @pytest.mark.parametrize(
        ("code", "waits"), [(0, "SECONDS"), (75, "SECONDS"), (143, "IN_A_HURRY")]
    )
    def test_how_long(self, code, waits, warnings, monkeypatch):
        """The job waits for a while at its end; less if it was told to stop."""
        for name in ("SECONDS", "IN_A_HURRY"):
            monkeypatch.setattr(sending, name, 0.5 if name == waits else MINUTES)
        began = time.monotonic()
        with (
            playing(ScriptedServer.hang) as url,
            traced(url) as listener,
        ):
            listener(JobEnded(code))
            took = time.monotonic() - began

        assert took < MINUTES / 2
        (warning,) = warnings()
        assert "no answer in 0.5 s" == warning.reason

    def test_default(self):
        """Five seconds, and two after a signal."""
        assert (5.0, 2.0) == (sending.SECONDS, sending.IN_A_HURRY)

    def test_queue_is_bounded(self, warnings, monkeypatch):
        """What cannot be sent is given up, and that is said; nobody waits for it."""
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
        monkeypatch.setattr(sending, "SECONDS", 0.1)
        with playing(ScriptedServer.hang) as url, traced(url) as listener:
            listener(Phase.TRAINING)
            for number in range(1, 2001):
                listener(EpochEnded(number, EpochMetrics({"loss": 0.5})))
            (warning,) = warnings()
            listener(JobEnded(0))

        assert "Queue full" in warning.reason
        assert [warning] == warnings()

    def test_late(self, collector, warnings):
        """A collector that comes back gets what is left."""
        collector.status = 400
        with traced(collector.url) as listener:
            for number in range(1, 601):  # more than go into one request
                listener(EpochEnded(number, EpochMetrics({"loss": 0.5})))
            collector.wait_for("epoch", 512)
            collector.status = 200
            listener(JobEnded(0))

        assert 1 == len(warnings())
        assert 1 == len(collector.named("streamfit"))

    def test_without_an_end(self, collector):
        """What was made is sent, though the job has left in the middle."""
        with traced(collector.url) as listener:
            listener(Phase.WAITING)
            listener(Phase.OPENING)

        assert ["wait"] == [span.name for span in collector.spans]
