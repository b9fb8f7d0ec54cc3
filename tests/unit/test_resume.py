"""A job whose process ends is started again, over the same state folder."""

from __future__ import annotations

import logging
from contextlib import closing

import pytest

from adapters.formats import Formats
from adapters.memory.backend import MemoryBackend
from adapters.memory.broker import MemoryBroker
from adapters.memory.trainer import FakeModel, FakeTrainer
from adapters.raw import RawDecoder
from adapters.sampling import NumpySampler
from adapters.spool import SpoolFor, SpoolSettings
from adapters.state import FolderJournal
from domain.errors import Unavailable
from domain.request import DeploymentId
from domain.split import split_records
from domain.train_deployment import TrainDeployment
from tests.builders import control_message


class Killed(BaseException):
    """Stands in for the end of a process."""


class Dying(FakeTrainer):
    """A trainer in whose hands the process ends."""

    def load(self, model):
        return DyingModel(model.read_bytes(), self.epochs, self.workdir)


class DyingModel(FakeModel):
    def evaluate(self, test):
        raise Killed


class Counted(MemoryBroker):
    """A broker that counts the records that are read; at some number it goes away."""

    most = 1 << 60
    read_so_far = 0

    def read(self, ranges):
        for batch in super().read(ranges):
            if self.read_so_far >= self.most:
                raise Unavailable("away")
            self.read_so_far += len(batch)
            yield batch


@pytest.fixture
def broker():
    broker = Counted(batch_size=3)
    broker.produce("automl", *[(bytes([i]), bytes(8)) for i in range(30)])
    fields = {"topic": "automl:0:0:30", "total_msg": 30}
    rates = {"validation_rate": 0.2, "test_rate": 0.3}
    broker.produce("control", (b"\x07", control_message(**fields, **rates)))
    return broker


@pytest.fixture
def backend(tmp_path):
    return MemoryBackend(b"untrained", tmp_path)


@pytest.fixture
def run(broker, backend, tmp_path):
    """Return a function that runs a job as a process of its own would."""

    def job(state="state", **parts):
        with closing(FolderJournal(tmp_path / state)) as journal:
            return TrainDeployment(
                **{
                    "deployment_id": DeploymentId(7),
                    "control_source": broker,
                    "stream_source": broker,
                    "decoder_for": Formats({"RAW": RawDecoder.from_options}),
                    "spool_for": SpoolFor(SpoolSettings("1MB", tmp_path)),
                    "split": split_records,
                    "model_repository": backend,
                    "trainer": FakeTrainer(epochs=3, workdir=tmp_path),
                    "result_sink": backend,
                    "journal": journal,
                    "wants_confusion_matrix": True,
                    "clock": lambda: 0.0,
                    **parts,
                }
            ).run()

    return job


@pytest.fixture(params=[None, NumpySampler(3, stratified=False)])
def sampler(request):
    return request.param


@pytest.mark.parametrize("most", [3, 15, 27])
def test_killed_while_reading(run, broker, sampler, most):
    """The second job reads what the first one did not, and trains on the same."""
    whole = run("other", sampler=sampler)
    broker.read_so_far, broker.most = 0, most
    with pytest.raises(Unavailable, match="away"):
        run(sampler=sampler)
    broker.read_so_far, broker.most = 0, 1 << 60

    assert whole == run(sampler=sampler)
    assert 3 + 30 - most == broker.read_so_far  # and 3 that settle the format


def test_killed_while_training(run, broker, sampler, tmp_path):
    """A stream that was read is not read again, not even if it is gone by now."""
    whole = run("other", sampler=sampler)
    with pytest.raises(Killed):
        run(sampler=sampler, trainer=Dying(epochs=3, workdir=tmp_path))
    broker.delete("automl")

    assert whole == run(sampler=sampler)
    assert 60 == broker.read_so_far
    assert not list((tmp_path / "state").rglob("features")), "it was delivered"


def test_unreadable(run, broker, backend, tmp_path, caplog):
    """Of a stream that cannot be read, nothing is kept for the next request."""
    broker.produce("automl", (b"\x01", b"short"))
    fields = {"topic": "automl:0:0:31", "total_msg": 31}
    broker.delete("control")
    for body in (fields, {"topic": "automl:0:0:30", "total_msg": 30}):
        broker.produce("control", (b"\x07", control_message(**body)))

    with caplog.at_level(logging.WARNING):
        run()

    (skipped,) = [r for r in caplog.records if "skipped" in r.message]
    assert "automl[0]@30: data has 5 bytes" in skipped.reason
    assert 1 == len(backend.deliveries)
    assert not list((tmp_path / "state").rglob("features"))
