"""A job with a state folder, started again and again."""

from __future__ import annotations

import signal

import pytest

from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.reference import train
from tests.end_to_end.test_current import (
    RAW_DIGITS,
    assert_same_result,
    digits,
    part,
)
from tests.models import model_file

pytestmark = pytest.mark.kafka


@pytest.fixture
def arrays(sender):
    """A stream that was sent and announced."""
    arrays = digits(60)
    ranges = sender.send(raw(*arrays))
    sender.announce(message(ranges, 60, test_rate=0, input_config=RAW_DIGITS))
    return arrays


@pytest.fixture
def variables(variables, backend, tmp_path, arrays):  # noqa: ARG001  # it is sent
    return {
        **variables,
        "RESULT_URL": backend.url,
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
        "STREAMFIT_DELIVERY_DEADLINE": "1",
    }


def test_backend_away_at_delivery(backend, variables, arrays, sender):
    """What was trained is delivered by the next process, once and for all."""
    refuse_for_now(backend)

    first = run(variables)
    accept(backend)
    second = run(variables)
    sender.announce(
        message(f"{sender.topic}:0:0:60", 60, test_rate=0, input_config=RAW_DIGITS)
    )
    third = run(variables)

    history, tested, _ = train(
        model_file("digits"),
        part(arrays, 0, 54),
        validation=part(arrays, 54, 60),
        batch=16,
        epochs=3,
    )
    assert [75, 0, 0] == [job.process.returncode for job in (first, second, third)]
    assert [1, 0, 0] == [
        len(job.logged("engine ready")) for job in (first, second, third)
    ]
    assert third.logged("result was delivered before")
    assert_same_result(backend, history, tested)


def test_killed_while_delivering(backend, variables):
    """A process that is killed in the middle of an upload loses nothing."""
    variables["STREAMFIT_DELIVERY_DEADLINE"] = "60"
    refuse_for_now(backend)
    with running(variables) as job:
        job.wait_for("result is safe")
        job.process.send_signal(signal.SIGKILL)
        job.wait()
    accept(backend)

    job = run(variables)

    assert 0 == job.process.returncode
    assert [] == job.logged("engine ready")
    assert 1 == len(backend.results)


def test_two_processes(variables, backend):
    """The second process on one state folder ends at once, and says why."""
    variables["STREAMFIT_DELIVERY_DEADLINE"] = "60"
    refuse_for_now(backend)
    with running(variables) as first:
        first.wait_for("result is safe")
        second = run(variables)

    assert 75 == second.process.returncode
    (line,) = second.logged("job failed")
    assert f"another process uses this state, {first.process.pid}" in line["reason"]


def refuse_for_now(backend):
    """Let the back-end be away for the next results."""
    for _ in range(20):
        backend.server.expect_oneshot_request(
            "/results/3", method="POST"
        ).respond_with_data("later", status=503)


def accept(backend):
    """Let it be there again."""
    backend.server.clear()
    backend.__attrs_post_init__()
