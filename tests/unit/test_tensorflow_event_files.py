"""What TensorBoard reads, beside what Keras's own callback has it read."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from adapters.tensorflow.event_files import EventFiles
from bootstrap.settings import load
from domain.events import EpochEnded, JobEnded, ResultMade, RunBegan
from domain.report import EpochMetrics
from tests import stories
from tests.boards import kind, scalars
from tests.models import ArrayDataset, examples, model_file

EPOCHS = 3


def listener(folder):
    return EventFiles(folder, lambda identity: f"7-{identity[:8]}")


def begun(identity=stories.IDENTITY):
    return RunBegan(identity, stories.request())


def epoch(number, loss=0.5, validation=None):
    held_out = {} if validation is None else {"loss": validation}
    return EpochEnded(number, EpochMetrics({"loss": loss}, held_out))


@pytest.fixture
def run(tmp_path):
    """The folder of the training that is told of."""
    return tmp_path / f"7-{stories.IDENTITY[:8]}"


def test_as_keras_does_it(tmp_path, run):
    """Folders, tags, steps and kinds are those of the callback, for the same fit."""
    batch, part = 16, examples("digits")
    training, validation = ArrayDataset(part[:48]), ArrayDataset(part[48:64])
    settings = load(
        TensorFlowSettings,
        {"BATCH": f"{batch}", "KWARGS_FIT": f'{{"epochs": {EPOCHS}}}'},
    )
    told = listener(tmp_path)
    told(begun())
    numbers = iter(range(1, EPOCHS + 1))

    model = TensorFlowTrainer(settings, tmp_path, repeat=False).load(
        model_file("digits")
    )
    model.fit(
        training, validation, lambda metrics: told(EpochEnded(next(numbers), metrics))
    )
    told(JobEnded(0))

    keras_model = tf_keras.models.load_model(model_file("digits"))
    keras_model.compile(keras_model.optimizer, keras_model.loss, metrics=["accuracy"])
    keras_model.fit(
        part.features[:48],
        part.labels[:48],
        validation_data=(part.features[48:64], part.labels[48:64]),
        batch_size=batch,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[
            tf_keras.callbacks.TensorBoard(tmp_path / "keras", write_graph=False)
        ],
    )
    for part_name in ("train", "validation"):
        ours, theirs = scalars(run / part_name), scalars(tmp_path / "keras" / part_name)
        epochs = {tag for tag in theirs if tag.startswith("epoch_")}
        assert {"epoch_loss", "epoch_accuracy"} <= epochs
        assert epochs - {"epoch_learning_rate"} == ours.keys()
        for tag, values in ours.items():
            assert [step for step, _ in theirs[tag]] == [step for step, _ in values]
            np.testing.assert_allclose(
                [value for _, value in values],
                [value for _, value in theirs[tag]],
                rtol=1e-4,
            )
        assert kind(run / part_name, "epoch_loss") == kind(
            tmp_path / "keras" / part_name, "epoch_loss"
        )


def test_test(tmp_path, run):
    """The test has its own folder, and stands at the last epoch."""
    told = listener(tmp_path)

    for event in (begun(), epoch(1), epoch(2), ResultMade(stories.report())):
        told(event)

    assert {
        "evaluation_loss": [(1, pytest.approx(0.2871))],
        "evaluation_accuracy": [(1, pytest.approx(0.9333))],
    } == scalars(run / "test")


def test_at_once(tmp_path, run):
    """Each epoch is there as soon as it has ended, in one whole file."""
    told = listener(tmp_path)
    told(begun())

    for number in (1, 2, 3):
        told(epoch(number))

        assert list(range(number)) == [
            s for s, _ in scalars(run / "train")["epoch_loss"]
        ]
    assert 1 == len(list((run / "train").iterdir()))
    assert ["train"] == [path.name for path in run.iterdir()]


def test_nothing_without_an_epoch(tmp_path):
    """A job that has not trained leaves no folder."""
    told = listener(tmp_path / "below")

    for event in (begun(), JobEnded(75)):
        told(event)

    assert not (tmp_path / "below").exists()


def test_numbers_that_are_none(tmp_path, run):
    """They are drawn as TensorBoard draws them."""
    told = listener(tmp_path)

    for event in (begun(), epoch(1, math.nan), epoch(2, math.inf), epoch(3, -math.inf)):
        told(event)

    values = [value for _, value in scalars(run / "train")["epoch_loss"]]
    assert repr([math.nan, math.inf, -math.inf]) == repr(values)


@pytest.mark.parametrize("again", [3, 4, 1])
def test_goes_on(again, tmp_path, run):
    """A process that goes on, or starts over, leaves each epoch once."""
    first, second = listener(tmp_path), listener(tmp_path)
    for event in (begun(), *(epoch(n, 1.0, 1.0) for n in (1, 2, 3))):
        first(event)  # and is killed

    for event in (begun(), *(epoch(n, 2.0, 2.0) for n in range(again, 6))):
        second(event)

    wanted = [(n - 1, 1.0 if n < again else 2.0) for n in range(1, 6)]
    for part in ("train", "validation"):
        assert wanted == scalars(run / part)["epoch_loss"]
        assert 2 == len(list((run / part).iterdir()))


def test_starts_over(tmp_path, run):
    """So does a training that starts over within the same process."""
    told = listener(tmp_path)

    for event in (begun(), epoch(1, 1.0), epoch(2, 1.0), epoch(1, 2.0)):
        told(event)

    assert [(0, 2.0)] == scalars(run / "train")["epoch_loss"]


def test_two_trainings(tmp_path):
    """Each has its folder."""
    told = listener(tmp_path)

    for identity in ("a" * 32, "b" * 32):
        told(begun(identity))
        told(epoch(1))

    for letter in "ab":
        folder = tmp_path / f"7-{letter * 8}" / "train"
        assert [(0, 0.5)] == scalars(folder)["epoch_loss"]


def test_nowhere_to_write(tmp_path, caplog):
    """A folder that takes no file is said once, and ends nothing."""
    (tmp_path / "file").touch()
    told = listener(tmp_path / "file")

    with caplog.at_level("WARNING"):
        for event in (begun(), epoch(1), epoch(2), JobEnded(0)):
            told(event)

    (line,) = caplog.records
    assert "nothing is written for TensorBoard" == line.message
    assert str(tmp_path / "file") in line.path


PROGRAM = """
import resource, signal, sys, os
from pathlib import Path
import tensorflow
from adapters.tensorflow.event_files import EventFiles
from domain.events import EpochEnded, RunBegan
from domain.report import EpochMetrics
from tests import stories

told = EventFiles(Path(sys.argv[1]), lambda identity: "run")
told(RunBegan(stories.IDENTITY, stories.request()))
for number in range(1, 200):
    told(EpochEnded(number, EpochMetrics({"loss": 0.5})))
    END
"""


def run_program(end, folder):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("END", end), folder],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )


def test_killed(tmp_path):
    """What a process leaves that is killed is whole."""
    done = run_program("number == 7 and os.kill(os.getpid(), signal.SIGKILL)", tmp_path)

    assert -signal.SIGKILL == done.returncode
    (path,) = (tmp_path / "run" / "train").iterdir()
    records = list(tf.data.TFRecordDataset(str(path)))
    assert 2 + 7 == len(records)  # the version, and that it begins
    assert list(range(7)) == [s for s, _ in scalars(path.parent)["epoch_loss"]]


def test_no_room(tmp_path):
    """Where the room ends, the epochs before are there, and the job goes on."""
    limit = "number == 2 and resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"

    done = run_program(limit, tmp_path)

    assert 0 == done.returncode, done.stderr
    assert 1 == done.stderr.count("nothing is written for TensorBoard")
    steps = [step for step, _ in scalars(tmp_path / "run" / "train")["epoch_loss"]]
    assert list(range(len(steps))) == steps
    assert 2 <= len(steps) < 199


def test_other_engines(tmp_path):
    """TensorFlow is not imported for the sake of this."""
    program = PROGRAM.replace("import tensorflow\n", "").replace(
        "END", "assert 'tensorflow' not in sys.modules"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert 1 == done.stderr.count("nothing is written for TensorBoard")
    assert [] == list(tmp_path.iterdir())
