"""What the real Pushgateway shows of jobs that have ended."""

from __future__ import annotations

import logging
from urllib.parse import quote

import pytest
from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families

from adapters.status.last import last_metrics
from adapters.status.pushing import Gateway, Push
from domain.events import JobEnded
from domain.report import EpochMetrics, TrainingReport
from tests import stories
from tests.oracles.pushgateway import PASSWORD, USER, pushgateway

pytestmark = pytest.mark.oracle

NASTY = [
    "",
    ".",
    "..",
    "a/b",
    "a b",
    "a+b%2F?c#d",
    "ä\u20ac\U0001f600",
    'a"b\\c\nd',
    "metrics/job/other",
    "=",
    "x" * 500,
]
ALWAYS = {("end_timestamp_seconds",), ("exit_code",), ("duration_seconds",)}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with pushgateway(tmp_path_factory.mktemp("pushgateway")) as running:
        yield running


@pytest.fixture
def pushed(caplog):
    """Return what pushes how a job ended; it must go well."""

    def pushed(address, deployment, story, code=0):
        caplog.set_level(logging.WARNING)
        Push(Gateway.at(address, deployment), lambda: story, str)(JobEnded(code))
        assert [] == [record.__dict__ for record in caplog.records]

    return pushed


def test_success(gateway, pushed):
    """When, how long, how many rows, and loss and metrics of the last epoch."""
    story = stories.delivered()

    pushed(gateway.url, "1", story)

    last = story.report.history[-1]
    assert {
        ("end_timestamp_seconds",): story.told,
        ("exit_code",): 0,
        ("duration_seconds",): story.told - story.begun,
        ("success_timestamp_seconds",): story.told,
        ("success_duration_seconds",): story.told - story.begun,
        ("success_rows",): 69_880,
        ("success_metric", "loss", "training"): last.training["loss"],
        ("success_metric", "accuracy", "training"): last.training["accuracy"],
        ("success_metric", "loss", "validation"): last.validation["loss"],
        ("success_metric", "accuracy", "validation"): last.validation["accuracy"],
        ("success_metric", "loss", "test"): 0.2871,
        ("success_metric", "accuracy", "test"): 0.9333,
    } == gateway.metrics("1")


def test_failure(gateway, pushed):
    """The last success stays what it was; what is said of every job does not."""
    good, bad = stories.delivered(), stories.failed()
    pushed(gateway.url, "2", good)
    before = gateway.metrics("2")

    pushed(gateway.url, "2", bad, 75)

    after = gateway.metrics("2")
    assert before.keys() == after.keys()
    assert {k: v for k, v in before.items() if k not in ALWAYS} == {
        k: v for k, v in after.items() if k not in ALWAYS
    }
    assert 75 == after["exit_code",]
    assert bad.told == after["end_timestamp_seconds",] != good.told


def test_never_well(gateway, pushed):
    """Nothing is said of a success as long as there was none."""
    pushed(gateway.url, "3", stories.failed(), 75)

    assert ALWAYS == gateway.metrics("3").keys()


def test_next_success(gateway, pushed):
    """It takes the place of the one before, with all of its metrics."""
    story = stories.delivered()
    report = TrainingReport((EpochMetrics({"mse": 0.25}),), {}, 1.0)
    pushed(gateway.url, "4", story)

    pushed(gateway.url, "4", evolve(story, report=report))

    found = gateway.metrics("4")
    assert [(("success_metric", "mse", "training"), 0.25)] == [
        (name, value) for name, value in found.items() if "metric" in name[0]
    ]


def test_side_by_side(gateway, pushed):
    """Deployments do not touch each other."""
    pushed(gateway.url, "5", stories.delivered())
    before = gateway.metrics("5")

    pushed(gateway.url, "6", stories.failed(), 70)

    assert before == gateway.metrics("5")
    assert 70 == gateway.metrics("6")["exit_code",]


@pytest.mark.parametrize("name", NASTY, ids=lambda name: ascii(name)[:20])
def test_names(name, gateway, pushed):
    """Whatever a deployment is called, that is its group, and no other."""
    others = gateway.deployments() - {name}

    pushed(gateway.url, name, stories.failed(), 78)

    assert 78 == gateway.metrics(name)["exit_code",]
    assert others | {name} == gateway.deployments()


def test_metric_names(gateway, pushed):
    """Names from the model, and numbers that are none."""
    hostile = 'a"b\\c\nstreamfit_evil 1\n\ud800'
    metrics = EpochMetrics({hostile: float("nan"), "inf": float("inf")})
    report = TrainingReport((metrics,), {}, 1.0)

    pushed(gateway.url, "8", evolve(stories.delivered(), report=report))

    found = gateway.metrics("8")
    assert float("inf") == found["success_metric", "inf", "training"]
    (name,) = [name for name in found if "evil" in "".join(name)]
    assert hostile[:-1] in name[1]


def test_path(gateway, pushed):
    """A slash at the end of the address is none too much."""
    pushed(f"{gateway.url}/", "9", stories.failed(), 75)

    assert 75 == gateway.metrics("9")["exit_code",]


def test_password(tmp_path, pushed, caplog):
    """Who asks is said as the gateway wants to hear it, and to nobody else."""
    with pushgateway(tmp_path, locked=True) as locked:
        host = locked.url.removeprefix("http://")
        login = f"{USER}:{quote(PASSWORD, safe='')}"

        pushed(f"http://{login}@{host}", "1", stories.delivered())
        assert 0 == locked.metrics("1")["exit_code",]

        refused = Gateway.at(f"http://{USER}:no@{host}", "2")
        Push(refused, stories.delivered, str)(JobEnded(0))
        assert {"1"} == locked.deployments()
    (warning,) = caplog.records
    assert "metrics not pushed" == warning.message
    assert "401" in warning.reason
    assert PASSWORD not in repr(refused)


def test_help():
    """Every metric says what it is, in the same words for all jobs."""
    text = last_metrics(stories.delivered(), 0).decode()

    for family in text_string_to_metric_families(text):
        assert family.name.startswith("streamfit_last_")
        assert family.documentation.endswith(".")
        assert "gauge" == family.type
