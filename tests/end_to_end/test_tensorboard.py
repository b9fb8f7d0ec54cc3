"""A job whose epochs a real TensorBoard shows."""

from __future__ import annotations

import signal

import pytest

from tests.boards import scalars
from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits

pytestmark = pytest.mark.kafka


@pytest.fixture
def watched(variables, backend, sender, tmp_path):
    """The variables of a job that writes for TensorBoard; its stream is there."""
    ranges = sender.send(raw(*digits()))
    sender.announce(message(ranges, 150, input_config=RAW_DIGITS))
    return {
        **variables,
        "RESULT_URL": backend.url,
        "STREAMFIT_TENSORBOARD_DIR": str(tmp_path / "boards"),
    }


def only_run(tmp_path):
    (folder,) = (tmp_path / "boards").iterdir()
    assert folder.name.startswith("7-")
    return folder


def assert_same(backend, folder):
    """What is shown is what the back-end got, each epoch once."""
    (result,) = backend.results
    for part, told in (("train", "train_metrics"), ("validation", "val_metrics")):
        assert {
            f"epoch_{name}": [(n, pytest.approx(v)) for n, v in enumerate(values)]
            for name, values in result[told].items()
        } == scalars(folder / part)
    last = len(result["train_metrics"]["loss"]) - 1
    assert {
        f"evaluation_{name}": [(last, pytest.approx(value))]
        for name, (value,) in result["test_metrics"].items()
    } == scalars(folder / "test")


def test_whole_job(backend, watched, tmp_path):
    """Every epoch, and the test."""
    job = run(watched)

    assert 0 == job.process.returncode
    assert_same(backend, only_run(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed(number, backend, watched, tmp_path):
    """A job that goes on writes beside what was there, and no epoch twice."""
    watched |= {
        "KWARGS_FIT": '{"epochs": 60}',
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
    }
    with running(watched) as job:
        job.wait_for("epoch ended")
        job.process.send_signal(number)
        job.wait()
    folder = only_run(tmp_path)
    before = [step for step, _ in scalars(folder / "train")["epoch_loss"]]
    assert list(range(len(before))) == before
    assert 0 < len(before) < 60

    job = run(watched)

    assert 0 == job.process.returncode
    assert folder == only_run(tmp_path)
    assert 2 == len(list((folder / "train").iterdir()))
    assert_same(backend, folder)


def test_unwritable(backend, watched):
    """A folder that cannot be written is one warning, and no failure."""
    job = run({**watched, "STREAMFIT_TENSORBOARD_DIR": "/proc/nowhere/boards"})

    assert 0 == job.process.returncode
    assert 1 == len(backend.results)
    assert 1 == len(job.logged("nothing is written for TensorBoard"))


def test_other_engine(backend, watched, tmp_path):
    """An engine that is none of TensorFlow's says so, and goes on."""
    job = run({**watched, "STREAMFIT_ENGINE": "fake"})

    assert 0 == job.process.returncode
    assert 1 == len(backend.results)
    (line,) = job.logged("nothing is written for TensorBoard")
    assert "STREAMFIT_ENGINE" in line["reason"]
    assert not (tmp_path / "boards").exists()


def test_no_folder(watched, tmp_path):
    """A folder that is a file is refused before anything is done."""
    (tmp_path / "boards").touch()

    job = run(watched)

    assert 78 == job.process.returncode
    (line,) = job.logged("job failed")
    assert "STREAMFIT_TENSORBOARD_DIR: " in line["reason"]
