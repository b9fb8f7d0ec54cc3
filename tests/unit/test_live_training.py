"""What becomes of better models, with the shipped fakes behind the ports."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import pytest
from attrs import define, field

from adapters.memory.backend import MemoryBackend
from adapters.memory.journal import MemoryJournal
from adapters.memory.trainer import FakeModel
from domain.errors import Unavailable
from domain.improvement import ImprovementRule
from domain.live_training import LiveTraining
from domain.phases import Phase
from domain.progress import LivePosition, LiveStreamProgress
from tests.models import ArrayDataset, examples

EPOCHS = 2


@define
class FakeChain(FakeModel):
    """A model that is saved as a chain is: as a folder."""

    def save(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="chain-", dir=self.workdir))
        for number in (1, 2):
            super().save().rename(folder / f"trained_model_{number}.h5")
        return folder


@define(eq=False)
class FolderBackend(MemoryBackend):
    """
    Takes chains, too.

    Attributes:
        models: Where those that were handed in lay, and their files' names.
    """

    models: list[tuple[Path, list[str]]] = field(factory=list, init=False)

    def deliver(self, report, model):
        files = sorted(model.iterdir()) if model.is_dir() else [model]
        for file in files:
            super().deliver(report, file)
        self.models.append((model, [file.name for file in files]))


@pytest.fixture
def backend(tmp_path):
    return FolderBackend(b"untrained", tmp_path)


@pytest.fixture
def trained(tmp_path):
    """The folder into which models are written."""
    folder = tmp_path / "trained"
    folder.mkdir()
    return folder


@pytest.fixture
def training(tmp_path, trained, backend):
    """Return a function that makes an endless training; it gets better all the time."""

    def of(kind, on_event=lambda _: None):
        return LiveTraining(
            run=MemoryJournal(tmp_path).run("one"),
            model=kind(b"untrained", EPOCHS, trained),
            result_sink=backend,
            rule=ImprovementRule("accuracy", upwards=True, least=0.0),
            endless=True,
            every_time=True,
            on_event=on_event,
            clock=count().__next__,
        )

    return of


def fit(training, times=1):
    for _ in range(times):
        training.fit(
            ArrayDataset(examples("digits", 20)),
            ArrayDataset(examples("digits", 10)),
            LiveStreamProgress(LivePosition("live")),
        )


@pytest.mark.parametrize(("kind", "files"), [(FakeModel, 1), (FakeChain, 2)])
def test_delivered(training, trained, backend, kind, files):
    """A better model that was handed in is removed: a file, or a chain's folder."""
    fit(training(kind), 4)

    assert [files] * 3 == [len(names) for _, names in backend.models]
    assert 3 == len({path for path, _ in backend.models})
    assert all(path.is_relative_to(trained) for path, _ in backend.models)
    assert [] == list(trained.iterdir())


@pytest.mark.parametrize("kind", [FakeModel, FakeChain])
def test_not_delivered(training, trained, backend, kind):
    """As long as it was not accepted, it is there."""
    one = training(kind)
    fit(one)
    backend.available = False

    with pytest.raises(Unavailable):
        fit(one)

    assert 1 == len(list(trained.iterdir()))


@pytest.fixture
def stopping():
    """Have a signal end Python code as SIGTERM ends a job."""
    before = signal.signal(signal.SIGUSR1, lambda *_: sys.exit(143))
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("stopping")
@pytest.mark.parametrize(
    "phase", [Phase.KEEPING, Phase.SAVING, Phase.DELIVERING, Phase.FINISHING]
)
def test_stopped(training, backend, phase):
    """Nobody leaves before a delivery has come to its end, however early it is."""

    def stop(event):
        if event is phase:
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.1)  # who does not wait is gone

    one = training(FakeModel, stop)
    fit(one)

    with pytest.raises(SystemExit):
        fit(one)

    assert 1 == len(backend.models)
    assert one.run.checkpoint().progress.live.undelivered is None
