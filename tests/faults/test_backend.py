"""Whatever the back-end makes of a result, none is lost, and none is wrong."""

from __future__ import annotations

import pytest

from tests.end_to_end.process import Job, run, running
from tests.faults.scripted_backend import (
    GET_MODEL,
    MODEL,
    POST_RESULT,
    Accepted,
    ScriptedBackend,
    answer,
    cut_midway,
    early,
    ok,
    sends,
    stalls,
    store,
    store_and_send,
    store_and_stall,
)

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("absence")]

SOON = {"STREAMFIT_HTTP_READ_TIMEOUT": "1"}
"""Seconds after which silence is no answer."""

HALF = b"HTTP/1.1 %d Why\r\nContent-Length: 9\r\n\r\nhalf"
HALF_A_HEAD = b"HTTP/1.1 200 OK\r\nContent-Le"

BIG = MODEL + bytes(1 << 25)
"""A model that no network takes at one go."""


def pauses(job: Job) -> list[float]:
    """Return the seconds for which it waited between its attempts."""
    return [line["stamina.wait_for"] for line in job.logged("stamina.retry_scheduled")]


@pytest.mark.parametrize(
    ("acts", "tries"),
    [
        ([answer(500), answer(500), answer(500)], 4),
        ([answer(408), answer(425)], 3),
        ([store(201)], 1),
        ([store(204)], 1),
        ([stalls(b""), stalls(HALF_A_HEAD)], 3),
        ([store_and_stall(HALF % 200)], 1),
        ([stalls(HALF % 503)], 2),
        ([sends(HALF % 503)], 2),
        ([sends(b""), sends(b"what?\r\n\r\n")], 3),
        ([cut_midway, cut_midway], 3),
    ],
    ids=[
        "500 three times",
        "408 and 425",
        "201",
        "204",
        "head stalls",
        "text of 200 stalls",
        "text of 503 stalls",
        "text of 503 is cut",
        "no answer and no HTTP",
        "cut in the middle of the body",
    ],
)
def test_survived(announced, undisturbed, acts, tries):
    """What may pass is waited for, and the result is accepted once."""
    with ScriptedBackend((POST_RESULT, act) for act in acts) as backend:
        job = run(announced.variables(backend.url, **SOON))

    assert 0 == job.process.returncode
    assert [undisturbed("fake")] == backend.accepted
    assert tries == backend.asked[POST_RESULT]


@pytest.mark.parametrize(
    "act",
    [store_and_send(b""), store_and_send(HALF_A_HEAD), store_and_stall(b"")],
    ids=["cut before the answer", "cut in the answer", "no answer"],
)
def test_perhaps_accepted(announced, undisturbed, act):
    """If the platform may have it or not, it gets the same once more."""
    with ScriptedBackend([(POST_RESULT, act)]) as backend:
        job = run(announced.variables(backend.url, **SOON))

    assert 0 == job.process.returncode
    assert 2 * [undisturbed("fake")] == backend.accepted


@pytest.mark.parametrize(
    "fields",
    [
        [b"Retry-After: 3"],
        [
            b"Date: Fri, 31 Dec 1999 23:59:56 GMT",
            b"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT",
        ],
    ],
    ids=["seconds", "date"],
)
@pytest.mark.parametrize("code", [429, 503])
def test_asked_to_wait(announced, undisturbed, code, fields):
    """Who is told when to come back comes back then, and no sooner."""
    with ScriptedBackend([(POST_RESULT, answer(code, b"", *fields))]) as backend:
        job = run(announced.variables(backend.url))

    (pause,) = pauses(job)
    assert 0 == job.process.returncode
    assert 3.0 <= pause <= 4.0  # without the wish it is at most one
    assert [undisturbed("fake")] == backend.accepted


@pytest.mark.parametrize("code", [400, 401, 403, 413])
def test_refused(announced, undisturbed, tmp_path, code):
    """A refusal ends the job at once, and the result waits for whoever asks again."""
    with ScriptedBackend([(POST_RESULT, answer(code, b"because"))]) as backend:
        variables = announced.variables(
            backend.url, STREAMFIT_STATE_DIR=str(tmp_path / "state")
        )
        refused = run(variables)
        assert 1 == backend.asked[POST_RESULT]
        accepted = run(variables)

    (line,) = refused.logged("job failed")
    assert 78 == refused.process.returncode
    assert line["reason"] == (
        f"{backend.url}: the result was refused: status {code}: 'because'"
    )
    assert_delivered_later(accepted)
    assert [undisturbed("fake")] == backend.accepted


@pytest.mark.parametrize("code", [401, 413])
def test_refused_early(announced, undisturbed, tmp_path, code):
    """So does one that comes in the middle of a long body, with the connection cut."""
    acts = [(GET_MODEL, sends(ok(BIG)))] * 2 + [(POST_RESULT, early(code))] * 5
    with ScriptedBackend(acts) as backend:
        variables = announced.variables(
            backend.url, STREAMFIT_STATE_DIR=str(tmp_path / "state")
        )
        refused = run(variables)
        backend.behave(POST_RESULT)
        accepted = run(variables)

    (line,) = refused.logged("job failed")
    assert 78 == refused.process.returncode
    assert f"the result was refused: status {code}: 'too early'" in line["reason"]
    assert_delivered_later(accepted)
    expected = undisturbed("fake")
    assert [
        Accepted(expected.report, expected.model.replace(MODEL, BIG))
    ] == backend.accepted


def test_away_past_the_deadline(unannounced, undisturbed, tmp_path):
    """A back-end that stays away costs the process, and not the result."""
    with ScriptedBackend() as backend:
        variables = unannounced.variables(
            backend.url,
            STREAMFIT_STATE_DIR=str(tmp_path / "state"),
            STREAMFIT_DELIVERY_DEADLINE="3",
        )
        with running(variables) as first:
            first.wait_for("waiting for a control message")
            backend.leave()
            unannounced.announce()
            code = first.wait()
        backend.come_back()
        second = run(variables)

    (line,) = first.logged("job failed")
    assert 75 == code
    assert backend.url in line["reason"]
    assert "ConnectError" in line["reason"]
    assert 1 < len(pauses(first))
    assert_delivered_later(second)
    assert [undisturbed("fake")] == backend.accepted


def assert_delivered_later(job: Job) -> None:
    """Make sure that *job* delivered what another one had trained."""
    assert 0 == job.process.returncode
    assert job.logged("trained before: the result is delivered now")
    assert [] == job.logged("epoch ended")
