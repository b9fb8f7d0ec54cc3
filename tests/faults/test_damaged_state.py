"""Jobs that find in their state folder what is not what they wrote."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.process import Job, run, running
from tests.faults.backend_jobs import EPOCHS
from tests.faults.machine import kill, wait_until
from tests.faults.scripted_backend import (
    GET_MODEL,
    POST_RESULT,
    Accepted,
    ScriptedBackend,
    ok,
    sends,
    stalls,
)
from tests.models import model_file

pytestmark = pytest.mark.kafka

EVERY_CHECKPOINT = {"STREAMFIT_CHECKPOINT_SECONDS": "0"}
OTHER_MODEL = model_file("cnn").read_bytes()
"""Takes the same examples."""

METRIC = b'"loss": 0.'
"""What is before its digits."""


@pytest.fixture(scope="module")
def trained(announced, tmp_path_factory) -> Path:
    """Return what a job of the fake engine leaves that is killed in its delivery."""
    state = tmp_path_factory.mktemp("trained")
    folder = {"STREAMFIT_STATE_DIR": str(state)}
    with (
        ScriptedBackend([(POST_RESULT, stalls(b""))]) as backend,
        running(announced.variables(backend.url, **folder)) as job,
    ):
        wait_until(lambda: backend.asked[POST_RESULT])
        kill(job)
    return state


@pytest.fixture(scope="module")
def in_training(announced, tmp_path_factory) -> Path:
    """Return what a job of TensorFlow leaves that is killed while it trains."""
    state = tmp_path_factory.mktemp("training")
    with ScriptedBackend() as backend:
        break_off(announced, backend, state)
    return state


@pytest.fixture
def again(announced):
    """Return a function that runs a job on a state folder."""

    def again(state: Path, engine: str = "fake") -> tuple[Job, Accepted]:
        folder = {"STREAMFIT_STATE_DIR": str(state)}
        with ScriptedBackend() as backend:
            job = run(announced.variables(backend.url, engine, **folder))
        assert 0 == job.process.returncode, job.lines
        (accepted,) = backend.accepted
        return job, accepted

    return again


def test_undamaged(trained, again, tmp_path, undisturbed):
    """What the other tests begin with is as good as done."""
    job, accepted = again(copy(trained, tmp_path))

    assert job.logged("trained before: the result is delivered now")
    assert [] == job.logged("state not used")
    assert undisturbed("fake") == accepted


@pytest.mark.parametrize("damage", ["cut", "flip"])
@pytest.mark.parametrize("name", ["model.h5", "sealed.json"])
def test_result(trained, again, tmp_path, undisturbed, name, damage):
    """A result that is not what was made safe is made again, from a checkpoint."""
    state = copy(trained, tmp_path)
    DAMAGES[damage](find(state, f"outbox/{name}"))

    job, accepted = again(state)

    assert "/outbox" in reason(job)
    assert [] == job.logged("epoch ended")
    assert undisturbed("fake") == accepted


@pytest.mark.parametrize("damage", ["cut", "flip"])
@pytest.mark.parametrize(
    ("name", "epochs"),
    [
        ("checkpoint/epochs", 3),
        ("checkpoint/sealed.json", 3),
        ("untrained/model", 0),
        ("untrained/sealed.json", 0),
        ("spool/features", 0),
        ("spool/labels", 0),
        ("spool/marks", 0),
    ],
)
def test_anything_else(trained, again, tmp_path, undisturbed, name, epochs, damage):
    """What is not what was written is not used, and the rest is."""
    state = copy(trained, tmp_path)
    shutil.rmtree(find(state, "outbox"))
    DAMAGES[damage](find(state, name))

    job, accepted = again(state)

    if (name, damage) != ("spool/marks", "cut"):  # that is what a killed job leaves
        assert f"/{Path(name).parts[0]}" in reason(job)
    assert epochs == len(job.logged("epoch ended"))
    assert undisturbed("fake") == accepted


def test_everything(trained, again, tmp_path, undisturbed):
    """If nothing is what it was, the job starts over."""
    state = copy(trained, tmp_path)
    for path in find(state, "").rglob("*"):
        if path.is_file():
            flip(path)

    job, accepted = again(state)

    assert 3 == len(job.logged("epoch ended"))
    assert undisturbed("fake") == accepted


def test_newer_layout(trained, again, tmp_path, undisturbed):
    """What a later version left is named, and neither used nor touched."""
    state = copy(trained, tmp_path)
    ours = find(state, "")
    newer = ours.rename(ours.with_name(ours.name.replace("v1-", "v2-")))
    before = contents(newer)

    job, accepted = again(state)

    (line,) = job.logged("state of another run left alone")
    assert str(newer) == line["path"]
    assert before == contents(newer)
    assert 3 == len(job.logged("epoch ended"))
    assert undisturbed("fake") == accepted


def test_checkpoint_of_tensorflow(in_training, again, tmp_path, undisturbed):
    """Weights that are not what was written are never trained on."""
    state = copy(in_training, tmp_path)
    flip(find(state, "checkpoint*/variables.data*"))

    job, accepted = again(state, "tensorflow")

    assert "/checkpoint/variables.data" in reason(job)
    assert EPOCHS == len(job.logged("epoch ended"))
    assert undisturbed("tensorflow") == accepted


def test_checkpoint_of_another_model(
    in_training, announced, again, tmp_path, undisturbed
):
    """A whole checkpoint is none of ours if its weights are another model's."""
    state = copy(in_training, tmp_path)
    ours = find(state, "")
    with ScriptedBackend([(GET_MODEL, sends(ok(OTHER_MODEL)))]) as backend:
        other_job = break_off(announced, backend, state)
    (other,) = set(state.glob("v1-*")) - {ours}
    for checkpoint in ours.glob("checkpoint*"):
        shutil.rmtree(checkpoint)
    shutil.copytree(find(other, "checkpoint*", here=True), ours / "checkpoint")
    before = contents(other)

    job, accepted = again(state, "tensorflow")

    for line, left in (other_job, ours), (job, other):
        (said,) = line.logged("state of another run left alone")
        assert str(left) == said["path"]
    events = [line["event"] for line in job.lines]
    assert 1 == sum(event.startswith("training starts over") for event in events)
    assert EPOCHS == len(job.logged("epoch ended"))
    assert undisturbed("tensorflow") == accepted
    assert before == contents(other)


def break_off(announced, backend: ScriptedBackend, state: Path) -> Job:
    """Kill a job of TensorFlow once it has kept an epoch."""
    folder = {"STREAMFIT_STATE_DIR": str(state)}
    environ = announced.variables(
        backend.url, "tensorflow", **folder, **EVERY_CHECKPOINT
    )
    with running(environ) as job:
        wait_until(lambda: len(job.logged("epoch ended")) > 1)
        kill(job)
    return job


def copy(state: Path, tmp_path: Path) -> Path:
    """Return a copy of a state folder, to be damaged."""
    return shutil.copytree(state, tmp_path / "state")


def find(state: Path, name: str, *, here: bool = False) -> Path:
    """Return what has that name in the folder of the only run."""
    found = state.glob(name if here else f"v1-*/{name}")
    return min(found)  # a job that was killed may have left the checkpoint before, too


def contents(folder: Path) -> dict[Path, bytes]:
    """Return everything that is in *folder*."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reason(job: Job) -> str:
    """Return why something was not used; nothing else was wrong."""
    (line,) = job.logged("state not used")
    return str(line["reason"])


def cut(path: Path) -> None:
    """Take the last byte."""
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    """Flip a bit: where a metric is told, of that, so that it still is a number."""
    content = bytearray(path.read_bytes())
    metric = content.rfind(METRIC)
    content[len(content) // 2 if metric < 0 else metric + len(METRIC)] ^= 1
    path.write_bytes(content)


DAMAGES = {"cut": cut, "flip": flip}
