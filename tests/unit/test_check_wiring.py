"""How the job's adapters come to one who only looks."""

from __future__ import annotations

import pytest

from adapters.memory.trainer import FakeTrainer
from bootstrap.check.wiring import check_deployment
from bootstrap.container import Container
from domain.checking.findings import Verdict
from domain.errors import SettingsInvalid
from domain.events import ignore

ENVIRON = {
    "DEPLOYMENT_ID": "7",
    "BATCH": "2",
    "CASE": "1",
    "STREAMFIT_BROKER": "memory",
    "STREAMFIT_BACKEND": "memory",
    "STREAMFIT_ENGINE": "fake",
}


@pytest.fixture
def wire():
    """Return a function that wires, with other variables if need be."""
    containers = []

    def make(**variables):
        environ = {**ENVIRON, **variables}
        container = Container(environ=environ)
        containers.append(container)
        return container, check_deployment(environ, container, 1.0)

    yield make
    for container in containers:
        container.shutdown_resources()


def test_fakes(wire):
    """What is selected is looked at, whatever it is."""
    container, check = wire()

    container.memory_backend().model = b"untrained"
    container.memory_broker().create("control")
    found = {finding.subject: finding for finding in check.run()}

    assert [] == [f for f in found.values() if f.verdict is Verdict.FAULT]
    assert "back-end 'memory': a model of 9 bytes" == found["back-end"].text
    assert "broker 'memory': the brokers answer" == found["broker"].text


def test_nobody_is_told(wire):
    """No listener of the job is made: they write files, and listen on ports."""
    container, _ = wire()

    assert container.on_event() is ignore


@pytest.mark.parametrize(
    ("case", "unsupervised", "follows"),
    [("1", "False", False), ("2", "False", True), ("2", "True", True)],
)
def test_modes(wire, case, unsupervised, follows):
    """The training mode says which streams are followed, and which count."""
    _, check = wire(
        CASE=case,
        UNSUPERVISED=unsupervised,
        UNSUPERVISED_ROUNDS="1",
        CONFIDENCE="0.5",
        STREAM_TIMEOUT="1000",
    )

    request = check.messages.check_request
    assert (unsupervised == "True") is request.unsupervised
    assert follows is (request.pace is not None)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (
            {"BATCH": "x", "STREAMFIT_LOG": "y", "STREAMFIT_SPOOL_MEMORY": "z"},
            ["BATCH:", "STREAMFIT_LOG:", "STREAMFIT_SPOOL_MEMORY:"],
        ),
        (
            {
                "STREAMFIT_BROKER": "kafka",
                "BOOTSTRAP_SERVERS": "a:1",
                "CONTROL_TOPIC": "control",
                "LIBRDKAFKA_NONSENSE": "1",
                "LIBRDKAFKA_GROUP_ID": "2",
                "LIBRDKAFKA_SASL_PASSWORD": "3",
                "LIBRDKAFKA_SASL_PASSWORD_FILE": "4",
            },
            [
                "LIBRDKAFKA_GROUP_ID:",
                "LIBRDKAFKA_NONSENSE:",
                "LIBRDKAFKA_SASL_PASSWORD_FILE",
            ],
        ),
        (
            {"CASE": "2", "STREAM_TIMEOUT": "-1", "CHANGE": "up"},
            ["MONITORING_METRIC,"],
        ),
        ({"CASE": "", "UNSUPERVISED": "True"}, ["UNSUPERVISED:"]),
    ],
)
def test_faults(wire, variables, named):
    """Each fault of the settings is one of its own, whatever it says."""
    _, check = wire(**variables)

    assert named == [str(fault).split()[0] for fault in check.faults]
    assert {SettingsInvalid} == set(map(type, check.faults))


def test_what_is_left(wire):
    """What does not depend on wrong variables is looked at all the same."""
    _, check = wire(STREAMFIT_SPOOL_MEMORY="much")

    assert check.storage is None
    assert isinstance(check.model.trainer, FakeTrainer)
    assert check.messages is not None
