"""Whatever the back-end does before and during a training, the result is the same."""

from __future__ import annotations

import pytest

from tests.end_to_end.process import run
from tests.faults.backend_jobs import EPOCHS, job_and_backend
from tests.faults.scripted_backend import (
    GET_MODEL,
    MODEL,
    POST_PROGRESS,
    POST_RESULT,
    ScriptedBackend,
    answer,
    never_answer,
    ok,
    sends,
    stalls,
    status,
)

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("absence")]

BRIEF = {"STREAMFIT_HTTP_ATTEMPTS": "2", "STREAMFIT_HTTP_READ_TIMEOUT": "1"}

HALF = ok(MODEL[: len(MODEL) // 2], len(MODEL))


@pytest.mark.parametrize(
    ("act", "code", "tries", "reason"),
    [
        (sends(ok(b"")), 65, 1, "an empty answer"),
        (sends(ok(b"<html>Sign in")), 65, 1, "it starts with b'<html>Sign in'"),
        (answer(404, b"where?"), 65, 1, "status 404: 'where?'"),
        (answer(500, b"oops"), 75, 2, "status 500: 'oops'"),
        (stalls(HALF), 75, 2, "ReadTimeout"),
        (sends(HALF), 75, 2, "without sending complete message body"),
    ],
    ids=["empty", "HTML", "404", "500", "stalls", "truncated"],
)
def test_no_model(announced, act, code, tries, reason):
    """Without a model the job ends, and says whether a restart may help."""
    with ScriptedBackend(10 * [(GET_MODEL, act)]) as backend:
        job = run(announced.variables(backend.url, **BRIEF))

    (line,) = job.logged("job failed")
    assert code == job.process.returncode
    assert f"{backend.url}: " in line["reason"]
    assert reason in line["reason"]
    assert [] == job.logged("waiting for a control message")
    assert tries == backend.asked[GET_MODEL]
    assert 0 == backend.asked[POST_RESULT]


@pytest.mark.parametrize(
    "act",
    [
        answer(500),
        sends(status(429, b"", b"Retry-After: 0")),
        stalls(b""),
        stalls(HALF),
        sends(HALF),
        sends(b""),
    ],
    ids=["500", "429", "no answer", "stalls", "truncated", "cut"],
)
def test_model_comes_later(announced, undisturbed, act):
    """A download that fails is made again, and nothing of it is left in the next."""
    with ScriptedBackend([(GET_MODEL, act)]) as backend:
        job = run(announced.variables(backend.url, **BRIEF))

    assert 0 == job.process.returncode
    assert 2 == backend.asked[GET_MODEL]
    assert [undisturbed("fake")] == backend.accepted


def test_away_during_training(unannounced, undisturbed):
    """Progress that nobody takes is no reason to wait, nor to fail."""
    with job_and_backend(unannounced, "tensorflow") as (job, backend):
        job.wait_for("waiting for a control message")
        backend.leave()
        unannounced.announce()
        job.wait_for("stamina.retry_scheduled")
        trained = len(job.logged("epoch ended"))
        lost = job.logged("progress not published")
        backend.come_back()
        code = job.wait()

    assert EPOCHS == trained
    assert lost
    assert all("ConnectError" in line["reason"] for line in lost)
    assert 0 == code
    assert 0 == backend.asked[POST_PROGRESS]
    assert [undisturbed("tensorflow")] == backend.accepted


def test_silent_during_training(announced, undisturbed):
    """All epochs are trained while the first post of one waits for its answer."""
    with ScriptedBackend(EPOCHS * [(POST_PROGRESS, never_answer)]) as backend:
        job = run(announced.variables(backend.url, "tensorflow"))

    told_of = len(backend.progress[0]["train_metrics"]["loss"])
    events = [line["event"] for line in job.lines]
    assert told_of < EPOCHS
    assert EPOCHS == events[: events.index("progress not published")].count(
        "epoch ended"
    )
    assert 0 == job.process.returncode
    assert [undisturbed("tensorflow")] == backend.accepted


@pytest.mark.parametrize("engine", ["fake", "tensorflow"])
def test_away_for_two_minutes(absence, undisturbed, engine):
    """Two minutes without a back-end cost two minutes, and some more."""
    job, backend = absence.jobs[engine]
    assert absence.back.wait(150)

    code = job.wait()

    pauses = [
        line["stamina.wait_for"] for line in job.logged("stamina.retry_scheduled")
    ]
    assert 0 == code
    assert 5 <= len(pauses)
    assert pauses[0] <= 1.0
    assert max(pauses) <= 30.0
    assert [undisturbed(engine)] == backend.accepted
    assert 1 == backend.asked[POST_RESULT]
