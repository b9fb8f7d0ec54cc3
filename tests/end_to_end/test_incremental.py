"""The job on a stream that is still being written (case 2)."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import LiveBackend, OnlineSender, raw
from tests.end_to_end.process import run, running
from tests.models import examples, model_file

pytestmark = pytest.mark.kafka

BATCH, EPOCHS = 64, 2


@pytest.fixture
def sender(kafka):
    """An online sender to a topic of one partition."""
    topics = KafkaTopics(kafka)
    sender = OnlineSender(kafka, unique("live"), unique("control"))
    topics.create(sender.topic)
    topics.create(sender.control)
    return sender


@pytest.fixture
def backend(httpserver):
    """Today's back-end with the digits model, asking for a confusion matrix."""
    return LiveBackend(httpserver, model_file("digits").read_bytes(), conf_mat=True)


@pytest.fixture
def variables(kafka, sender, backend, tmp_path):
    """The variables of the current platform for case 2, some in its empty forms."""
    return {
        "BOOTSTRAP_SERVERS": kafka,
        "RESULT_URL": backend.url,
        "RESULT_ID": "3",
        "CONTROL_TOPIC": sender.control,
        "DEPLOYMENT_ID": "7",
        "BATCH": str(BATCH),
        "KWARGS_FIT": json.dumps({"epochs": EPOCHS}),
        "KWARGS_VAL": "{}",
        "CONF_MAT_CONFIG": "true",
        "CASE": "2",
        "UNSUPERVISED": "False",
        "UNSUPERVISED_ROUNDS": "None",
        "CONFIDENCE": "None",
        "STREAM_TIMEOUT": "4000",
        "MONITORING_METRIC": "",
        "CHANGE": "",
        "IMPROVEMENT": "None",
        "STREAMFIT_MINI_BATCH_SECONDS": "3",
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
    }


ENDLESS = {
    "STREAM_TIMEOUT": "-1",
    "MONITORING_METRIC": "loss",
    "CHANGE": "down",
    "IMPROVEMENT": "0.050000",
}


def arrays(count, seed=0):
    rows = examples("digits", count, seed)
    return rows.features, rows.labels


def script(data, size, rate=0.1, batch=BATCH, epochs=EPOCHS):
    """Yield history and weights after each mini-batch: a few lines of plain Keras."""
    tf_keras.utils.set_random_seed(1)
    model = tf_keras.models.load_model(model_file("digits"))
    model.compile(model.optimizer, model.loss, metrics=["accuracy"])
    for first in range(0, len(data[0]), size):
        features, labels = (array[first : first + size] for array in data)
        cut = int((1 - rate) * len(features))
        fitted = model.fit(
            features[:cut],
            labels[:cut],
            batch_size=batch,
            epochs=epochs,
            shuffle=False,
            validation_data=(features[cut:], labels[cut:]),
            verbose=0,
        )
        yield fitted.history, model.get_weights()


def weights(content: bytes, folder: Path):
    path = folder / "posted.h5"
    path.write_bytes(content)
    return tf_keras.models.load_model(path).get_weights()


def assert_same(expected, content, folder):
    for wanted, found in zip(expected, weights(content, folder), strict=True):
        np.testing.assert_array_equal(wanted, found)


def parts(history):
    """Return a history as the platform wants it."""
    return (
        {k: v for k, v in history.items() if not k.startswith("val_")},
        {k[4:]: v for k, v in history.items() if k.startswith("val_")},
    )


def test_until_nothing_comes(backend, sender, variables, tmp_path):
    """Every number is that of a plain script; what was sent before is not lost."""
    data = arrays(1130)
    sender.send(raw(*data)[:700])  # before there is a job

    with running({**variables, "STREAMFIT_MINI_BATCH": "300"}) as job:
        job.wait_for("mini-batch trained")
        sender.send(raw(*data)[700:])
        assert 0 == job.wait()

    histories, weights = zip(*script(data, 300), strict=True)
    (result,) = backend.results
    training, validation = parts(histories[-1])
    assert training == result["train_metrics"]
    assert validation == result["val_metrics"]
    assert {} == result["test_metrics"]
    assert result["confusion_matrix"] is None
    assert result["indefinite"] is False
    assert [] == backend.refused
    assert_same(weights[-1], backend.trained, tmp_path)
    lines = job.logged("mini-batch trained")
    assert [270, 270, 270, 207] == [line["rows"] for line in lines]
    together = {name: [] for name in histories[0]}
    for history in histories:
        for name, values in history.items():
            together[name] += values
    assert parts(together)[0] == backend.progress[-1]["train_metrics"]
    assert [] == job.foreign


def test_endless(backend, sender, variables, tmp_path):
    """Better models are posted as the rule says, each in a row of its own; then 143."""
    data = arrays(2000)
    expected, reference = [], None
    for history, weights in script(data, 200):
        (value,) = history["val_loss"][-1:]
        if reference is None:
            reference = value
        elif reference - value >= 0.05:
            reference = value
            expected.append((parts(history), weights))
    assert 2 <= len(expected) < 9

    environ = {**variables, **ENDLESS, "STREAMFIT_MINI_BATCH": "200"}
    with running(environ) as job:
        sender.send(raw(*data))
        wait_for_lines(job, "mini-batch trained", 10)
        job.process.terminate()
        assert 143 == job.wait()

    assert [] == backend.results
    assert len(expected) == len(backend.better)
    for (metrics, weights), (posted, content) in zip(
        expected, backend.better, strict=True
    ):
        assert metrics == (posted["train_metrics"], posted["val_metrics"])
        assert_same(weights, content, tmp_path)
    assert 10 * EPOCHS == len(backend.progress[-1]["train_metrics"]["loss"])


def test_stopped_while_posting(backend, sender, variables):
    """A post that is under way comes to its end, and is not repeated."""
    data = arrays(400)
    backend.hold = 2.0
    environ = {**variables, **ENDLESS, "STREAMFIT_MINI_BATCH": "200"}

    with running(environ) as job:
        sender.send(raw(*data))
        assert backend.asked.wait(60)
        job.process.terminate()
        assert 143 == job.wait()
    with running(environ) as job:
        job.wait_for("stream is followed")
        job.process.terminate()
        assert 143 == job.wait()

    assert 1 == len(backend.better)
    (line,) = job.logged("training goes on")
    assert 400 == line["records"]


def test_killed_while_posting(backend, sender, variables, tmp_path):
    """A better model that was not accepted is posted by the next process."""
    data = arrays(400)
    backend.hold = 8.0
    environ = {**variables, **ENDLESS, "STREAMFIT_MINI_BATCH": "200"}

    with running(environ) as job:
        sender.send(raw(*data))
        assert backend.asked.wait(60)
        job.process.kill()
        job.wait()
    backend.hold = 0.0
    with running(environ) as job:
        job.wait_for("better model delivered")
        job.process.terminate()
        assert 143 == job.wait()

    *_, (_, weights) = script(data, 200)
    first, second = backend.better
    assert first[0] == second[0]
    assert_same(weights, second[1], tmp_path)


@pytest.mark.parametrize(
    ("kept", "number"),
    [("0", signal.SIGKILL), ("60", signal.SIGKILL), ("60", signal.SIGTERM)],
)
def test_ended(backend, sender, variables, tmp_path, kept, number):
    """Of 100,000 records each is trained on once, however often the job is ended."""
    data = arrays(100_000)
    environ = {
        **variables,
        "BATCH": "500",
        "KWARGS_FIT": '{"epochs": 1}',
        "STREAMFIT_CHECKPOINT_SECONDS": kept,
    }
    sent = 0
    for upto, mini_batches in ((50_000, 2), (80_000, 2)):
        sender.send(raw(*(array[sent:upto] for array in data)))
        sent = upto
        with running(environ) as job:
            wait_for_lines(job, "mini-batch trained", mini_batches)
            job.process.send_signal(number)
            assert job.wait() in {-signal.SIGKILL, 128 + signal.SIGTERM}
    sender.send(raw(*(array[sent:] for array in data)))

    job = run(environ)

    assert 0 == job.process.returncode
    *_, (history, weights) = script(data, 10_000, batch=500, epochs=1)
    (result,) = backend.results
    assert parts(history) == (result["train_metrics"], result["val_metrics"])
    assert_same(weights, backend.trained, tmp_path)
    assert 10 == len(backend.progress[-1]["train_metrics"]["loss"])
    (line,) = job.logged("stream has ended")
    assert 100_000 == line["examples"]
    assert bool(job.logged("training goes on")) or kept != "0"


def wait_for_lines(job, event, number):
    """Wait until *event* has been logged so many times."""
    with job._news:
        assert job._news.wait_for(lambda: len(job.logged(event)) >= number, 120), (
            job.lines
        )


def test_nothing_comes(sender, variables):
    """A stream that does not come is skipped with a reason, and the job waits on."""
    sender.send([])

    with running({**variables, "STREAMFIT_CONTROL_DEADLINE": "8"}) as job:
        line = job.wait_for("control message skipped")
        assert 75 == job.wait()

    assert f"{sender.topic}: no record came in 4 seconds" == line["reason"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"STREAM_TIMEOUT": ""}, "STREAM_TIMEOUT is missing or empty"),
        ({"STREAM_TIMEOUT": "-2"}, "STREAM_TIMEOUT: want milliseconds, or -1"),
        ({"CHANGE": "sideways"}, "CHANGE: want up or down, got 'sideways'"),
        ({"IMPROVEMENT": "-1"}, "IMPROVEMENT: want a number from 0 on"),
        (
            {"STREAM_TIMEOUT": "-1"},
            "MONITORING_METRIC, CHANGE, IMPROVEMENT: missing or empty, but needed",
        ),
    ],
)
def test_refused(variables, changes, reason):
    """Settings that cannot be are named before anything is done."""
    job = run({**variables, **changes})

    assert 78 == job.process.returncode
    assert reason in job.logged("job failed")[0]["reason"]
