"""What the job takes while it waits, perhaps for days, for its control message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.process import running

pytestmark = pytest.mark.kafka

MOST = 80_000_000  # bytes; the original takes 554 MB
HEAVY = ("tensorflow", "tf_keras", "keras", "matplotlib", "scipy", "h5py")


@pytest.fixture
def waiting(backend, variables):
    """The process of a job that has its model and waits."""
    with running({**variables, "RESULT_URL": backend.url}) as job:
        job.wait_for("waiting for a control message")
        job.wait_for("waiting for the control topic")
        yield Path("/proc", str(job.process.pid))


@pytest.fixture
def variables(variables):
    """A control topic that is not there yet: the job says so once it has looked."""
    return {**variables, "CONTROL_TOPIC": f"{variables['CONTROL_TOPIC']}-later"}


def resident(process: Path) -> int:
    """Return how many bytes of memory *process* holds."""
    status = (process / "status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return 1024 * int(line.split()[1])


def test_memory(waiting):
    """It holds little, for many jobs wait on one machine."""
    assert resident(waiting) <= MOST


def test_libraries(waiting):
    """No engine is loaded, nothing that draws, nothing that looks into models."""
    mapped = (waiting / "maps").read_text(encoding="ascii")

    assert "/confluent_kafka/" in mapped  # or else there is nothing to see here
    assert [] == [name for name in HEAVY if f"/{name}/" in mapped]
