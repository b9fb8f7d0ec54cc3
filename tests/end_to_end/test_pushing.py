"""What a Pushgateway shows of jobs as the platform runs them."""

from __future__ import annotations

import json
import signal
from urllib.parse import quote

import pytest

from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits
from tests.oracles.pushgateway import PASSWORD, USER, pushgateway
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.kafka


def secret(gateway):
    """Return a gateway's address with its login."""
    login = f"{USER}:{quote(PASSWORD, safe='')}"
    return gateway.url.replace("http://", f"http://{login}@")


@pytest.mark.oracle
def test_success_and_failure(backend, sender, variables, tmp_path):
    """A job that went well, and after it one that did not; the password is nowhere."""
    ranges = sender.send(raw(*digits()))
    sender.announce(message(ranges, 150, input_config=RAW_DIGITS))

    backend.server.expect_request("/no").respond_with_data("", 404)
    with pushgateway(tmp_path, locked=True) as gateway:
        pushing = {**variables, "STREAMFIT_PUSHGATEWAY": secret(gateway)}
        well = run({**pushing, "RESULT_URL": backend.url})
        before = gateway.metrics("7")
        failed = run({**pushing, "RESULT_URL": backend.server.url_for("/no")})
        after = gateway.metrics("7")
        text = gateway.text()

    assert 0 == well.process.returncode == before["exit_code",]
    (result,) = backend.results
    assert 150 == before["success_rows",]
    assert result["test_metrics"]["loss"] == [before["success_metric", "loss", "test"]]
    for part, known in (("training", "train_metrics"), ("validation", "val_metrics")):
        for name, values in result[known].items():
            assert values[-1] == before["success_metric", name, part]
    assert 0 < before["success_duration_seconds",] == before["duration_seconds",]

    assert 65 == failed.process.returncode == after["exit_code",]
    assert after["end_timestamp_seconds",] > before["end_timestamp_seconds",]
    successes = [name for name in before if name[0].startswith("success")]
    assert {name: before[name] for name in successes} == {
        name: after[name] for name in successes
    }
    seen = json.dumps([*well.lines, *failed.lines]) + text
    assert PASSWORD not in seen
    assert quote(PASSWORD, safe="") not in seen


@pytest.mark.oracle
def test_could_not_begin(variables, tmp_path):
    """A job whose variables are wrong has ended, too."""
    with pushgateway(tmp_path) as gateway:
        wrong = {"BATCH": "0", "STREAMFIT_PUSHGATEWAY": gateway.url}
        run({**variables, **wrong})
        told = gateway.metrics("7")

    assert 78 == told["exit_code",]


def test_silent(variables, backend):
    """A gateway that hangs: one warning, the exit code is the job's, and it ends."""
    with ScriptedServer(ScriptedServer.hang) as server:
        url = server.url.replace("http://", "http://user:c4n4ry@")
        pushing = {
            **variables,
            "RESULT_URL": backend.url,
            "STREAMFIT_PUSHGATEWAY": url,
        }
        with running(pushing) as job:
            job.wait_for("waiting for a control message")
            job.process.send_signal(signal.SIGTERM)
            code = job.wait()

    assert 143 == code
    (warning,) = [line for line in job.lines if line["level"] == "warning"]
    assert "metrics not pushed" == warning["event"]
    assert server.url == warning["address"]
    assert "no answer in 2 s" == warning["reason"]
    assert "c4n4ry" not in json.dumps(job.lines)


def test_wrong_address(variables, backend):
    """What is no address is refused before anything is done, and not repeated."""
    pushing = {**variables, "RESULT_URL": backend.url}

    job = run({**pushing, "STREAMFIT_PUSHGATEWAY": "user:c4n4ry@gateway"})

    assert 78 == job.process.returncode
    (line,) = job.logged("job failed")
    assert line["reason"].startswith("STREAMFIT_PUSHGATEWAY: want http")
    assert "c4n4ry" not in json.dumps(job.lines)
