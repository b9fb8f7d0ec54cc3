"""How the job ends when it cannot train: never with exit 0."""

from __future__ import annotations

import signal
import socket

import pytest

from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits
from tests.models import model_file


def test_variables(variables):
    """Every variable that is missing or wrong is named in one message."""
    job = run({**variables, "BATCH": "0", "KWARGS_FIT": "{'epochs': ", "CASE": "x"})

    (line,) = job.logged("job failed")
    assert 78 == job.process.returncode
    assert 78 == line["exit_code"]
    for variable in ("BATCH", "KWARGS_FIT", "CASE", "RESULT_URL"):
        assert f"{variable}" in line["reason"]


def test_nothing_set():
    """Without any variable, all that are needed are named."""
    job = run({})

    (line,) = job.logged("job failed")
    assert 78 == job.process.returncode
    for variable in (
        "BOOTSTRAP_SERVERS",
        "RESULT_URL",
        "CONTROL_TOPIC",
        "DEPLOYMENT_ID",
        "BATCH",
    ):
        assert f"{variable} is missing" in line["reason"]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("CASE", "5", "case 5 is not served by this version"),
        ("UNSUPERVISED", "True", "UNSUPERVISED_ROUNDS: want a whole number"),
        ("STREAMFIT_BROKER", "rabbit", "'rabbit' is none of kafka, memory"),
        ("RESULT_URL", "['http://a/results/8', 'http://a/results/9']", "CASE 3, 4"),
        ("KWARGS_FIT", '{"epoch": 3}', "epochs"),
        ("KWARGS_FIT", "__import__('os').system('id')", "KWARGS_FIT"),
    ],
)
def test_not_served(variables, variable, value, reason):
    """What this version does not serve is refused by name before anything starts."""
    job = run(
        {**variables, "RESULT_URL": "http://127.0.0.1:9/results/3", variable: value}
    )

    (line,) = job.logged("job failed")
    assert 78 == job.process.returncode
    assert reason in line["reason"]


def test_back_end_away(variables):
    """A back-end that nobody listens for is retried, then left to the next start."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/results/3"
        job = run({**variables, "RESULT_URL": url, "STREAMFIT_HTTP_ATTEMPTS": "2"})

    (line,) = job.logged("job failed")
    assert 75 == job.process.returncode
    assert url in line["reason"]


def test_empty_model(variables, backend):
    """A model of no bytes with status 200: the user's model code failed."""
    backend.model = b""

    job = run({**variables, "RESULT_URL": backend.url})

    (line,) = job.logged("job failed")
    assert 65 == job.process.returncode
    assert "empty" in line["reason"]


@pytest.mark.parametrize(
    ("name", "reason"), [("code", "Lambda"), ("uncompiled", "compile")]
)
def test_unusable_model(variables, backend, name, reason):
    """A model that holds code or cannot be trained is refused before any waiting."""
    backend.model = model_file(name).read_bytes()

    job = run({**variables, "RESULT_URL": backend.url})

    (line,) = job.logged("job failed")
    assert 65 == job.process.returncode
    assert reason in line["reason"]
    assert [] == job.logged("waiting for a control message")


def test_broker_away(variables, backend):
    """A broker that stays away longer than its deadline: exit 75."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        job = run(
            {
                **variables,
                "RESULT_URL": backend.url,
                "BOOTSTRAP_SERVERS": f"127.0.0.1:{closed.getsockname()[1]}",
                "STREAMFIT_BROKER_DEADLINE": "3",
            }
        )

    (line,) = job.logged("job failed")
    assert 75 == job.process.returncode
    assert "127.0.0.1" in line["reason"]


@pytest.mark.kafka
def test_refused_result(variables, backend, sender):
    """A back-end that refuses the result for good: exit 78, and no success."""
    ranges = sender.send(raw(*digits(40)))
    sender.announce(message(ranges, 40, input_config=RAW_DIGITS))
    backend.server.expect_oneshot_request(
        "/results/3", method="POST"
    ).respond_with_data("no such result", status=400)

    job = run({**variables, "RESULT_URL": backend.url})

    (line,) = job.logged("job failed")
    assert 78 == job.process.returncode
    assert "no such result" in line["reason"]
    assert [] == backend.results


@pytest.mark.kafka
def test_sigterm_while_waiting(variables, backend):
    """Kubernetes' signal ends the job at once, with the signal's code."""
    with running({**variables, "RESULT_URL": backend.url}) as job:
        job.wait_for("waiting for a control message")
        job.process.send_signal(signal.SIGTERM)
        code = job.wait()

    assert 143 == code
    assert [] == backend.results
