"""Fifty jobs, one after the other, in one process and one state folder."""

from __future__ import annotations

import gc
import logging
import os
import tempfile
from pathlib import Path

import pytest
from attrs import frozen

from adapters.state.journal import MOST_DELIVERED
from bootstrap.checking import check_environment
from bootstrap.container import Container
from domain.report import TrainingReport
from tests.end_to_end.platform import message
from tests.end_to_end.test_current import RAW_DIGITS
from tests.faults.backend_jobs import COUNT, Announced
from tests.faults.machine import wait_until
from tests.faults.scripted_backend import POST_RESULT, ScriptedBackend

pytestmark = pytest.mark.kafka

DEPLOYMENTS = range(1, 51)
WARM = 10
"""Jobs after which everything has been loaded, and every pool been filled."""

assert len(DEPLOYMENTS) <= MOST_DELIVERED


@frozen
class Taken:
    """
    What the process has taken from the machine.

    Attributes:
        descriptors: Open files and sockets.

        threads: Those of native libraries, too.

        memory: Bytes of it that are resident.

        temporary: Files that go with the process.
    """

    descriptors: int
    threads: int
    memory: int
    temporary: int

    @classmethod
    def now(cls) -> Taken:
        """Count, once nobody needs what nobody has any more."""
        gc.collect()
        return cls(
            len(list(Path("/proc/self/fd").iterdir())),
            len(list(Path("/proc/self/task").iterdir())),
            int(Path("/proc/self/statm").read_text().split()[1])
            * os.sysconf("SC_PAGE_SIZE"),
            len(list(Path(tempfile.gettempdir()).rglob("*"))),
        )

    def at_most(self, other: Taken) -> bool:
        """Whether nothing but memory is more than in *other*."""
        return (
            self.descriptors <= other.descriptors
            and self.threads <= other.threads
            and self.temporary <= other.temporary
        )


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    """Keep temporary files where nobody else has any."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


@pytest.fixture
def state(tmp_path) -> Path:
    return tmp_path / "state"


def test_fifty_jobs(announced, state, caplog):
    """They leave a small note each; sent again, nothing is trained a second time."""
    caplog.set_level(logging.INFO)
    to_all, again = announce_to_all(announced), announce_to_all(announced)
    with ScriptedBackend() as backend:
        reports = {}
        for count, deployment in enumerate(DEPLOYMENTS, 1):
            reports[deployment] = job(to_all, backend, state, deployment)
            if count == WARM:
                warm = Taken.now()
        wait_until(lambda: Taken.now().at_most(warm))
        trained = Taken.now()
        notes = files_in(state)
        caplog.clear()
        repeated = {d: job(again, backend, state, d) for d in DEPLOYMENTS}
        wait_until(lambda: Taken.now().at_most(warm))

    assert trained.memory - warm.memory < 50_000_000
    assert Taken.now().memory - warm.memory < 50_000_000
    assert 1 + len(DEPLOYMENTS) == len(notes)
    assert {"lock", "sealed.json"} == {path.name for path in notes}
    assert max(map(len, notes.values())) < 2_000
    assert len(DEPLOYMENTS) == backend.asked[POST_RESULT] == len(backend.accepted)
    assert reports == repeated
    assert notes == files_in(state)
    events = [record.message for record in caplog.records]
    assert len(DEPLOYMENTS) == events.count("result was delivered before")
    assert "epoch ended" not in events


def announce_to_all(announced: Announced) -> Announced:
    """Announce the stream to every deployment, on a control topic of its own."""
    stream = announced.afresh()
    body = message(stream.ranges, COUNT, input_config=RAW_DIGITS)
    for deployment in DEPLOYMENTS:
        stream.sender.announce(body, bytes([deployment]))
    return stream


def job(
    stream: Announced, backend: ScriptedBackend, state: Path, deployment: int
) -> TrainingReport:
    """Run the job of *deployment*, as the command does."""
    environ = {
        **stream.variables(backend.url),
        "DEPLOYMENT_ID": str(deployment),
        "STREAMFIT_STATE_DIR": str(state),
    }
    check_environment(environ)
    container = Container(environ=environ)
    try:
        return container.train_deployment().run()
    finally:
        container.journal().close()
        container.shutdown_resources()


def files_in(folder: Path) -> dict[Path, bytes]:
    """Return all files in *folder*."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
