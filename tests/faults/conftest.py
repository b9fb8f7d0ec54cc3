"""A stream of digits, and jobs that train on it with a back-end that misbehaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import Sender
from tests.end_to_end.process import run
from tests.faults.backend_jobs import Absence, Announced, absence_of
from tests.faults.scripted_backend import Accepted, ScriptedBackend


@pytest.fixture(scope="session")
def announced(kafka: str) -> Announced:
    """Send the digits, and announce them once for all jobs."""
    sender = Sender(kafka, unique("data"), unique("control"))
    KafkaTopics(kafka).create(sender.topic)
    stream = Announced.sent(sender)
    stream.announce()
    return stream


@pytest.fixture
def unannounced(announced: Announced) -> Announced:
    """Return the same stream with a control topic on which there is nothing."""
    return announced.afresh()


@pytest.fixture(scope="session")
def undisturbed(announced: Announced) -> Callable[[str], Accepted]:
    """Return what a job hands in that nothing happens to, by its engine."""

    @cache
    def outcome(engine: str) -> Accepted:
        with ScriptedBackend() as backend:
            job = run(announced.variables(backend.url, engine))
        assert 0 == job.process.returncode
        (result,) = backend.accepted
        return result

    return outcome


@pytest.fixture(scope="session")
def absence(announced: Announced) -> Iterator[Absence]:
    """Let back-ends be away for two minutes from now on, beside the other tests."""
    with ExitStack() as stack:
        yield stack.enter_context(absence_of(announced, seconds=120.0))
