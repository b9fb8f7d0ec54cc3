"""The job for a chain of sub-models on a stream that is being written (case 4)."""

from __future__ import annotations

import json
import threading
import time

import pytest
import tf_keras
from attrs import define, field
from werkzeug import Request, Response

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import ChainBackend, OnlineSender, SubModel, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.reference import own_metrics
from tests.end_to_end.test_distributed import METRICS, NAMES
from tests.end_to_end.test_incremental import arrays, assert_same, wait_for_lines
from tests.models import chain_files

pytestmark = pytest.mark.kafka

BATCH, EPOCHS, LOSS_WEIGHT = 64, 2, 0.25

LEAST = 1.3
"""By how much the total loss gets better: some steps are larger, some are not."""


@define
class LiveSubModel(SubModel):
    """
    A sub-model's result of which there are any number (section 9.3, indefinite).

    Attributes:
        posted: Every model that came, oldest first.

        hold: Seconds that an answer takes.

        asked: Set once a result has come, before it is answered.
    """

    posted: list[bytes] = field(factory=list, init=False)
    hold: float = field(default=0.0, init=False)
    asked: threading.Event = field(factory=threading.Event, init=False)

    def _result(self, request: Request) -> Response:
        response = super()._result(request)
        self.posted.append(self.trained or b"")
        self.asked.set()
        time.sleep(self.hold)
        return response


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
    """Today's back-end with results 8 and 9 for the two sub-models."""
    models = [path.read_bytes() for path in chain_files(2)]
    parts = [LiveSubModel(number, [model]) for number, model in enumerate(models, 8)]
    return ChainBackend(httpserver, parts)


@pytest.fixture
def variables(kafka, sender, backend, tmp_path):
    """The variables of case 4: of the rule, the platform sets IMPROVEMENT alone."""
    return {
        **backend.variables,
        "BOOTSTRAP_SERVERS": kafka,
        "CONTROL_TOPIC": sender.control,
        "DEPLOYMENT_ID": "7",
        "BATCH": str(BATCH),
        "KWARGS_FIT": json.dumps({"epochs": EPOCHS}),
        "KWARGS_VAL": "{}",
        "CONF_MAT_CONFIG": "true",
        "CASE": "4",
        "OPTIMIZER": "adam",
        "LEARNING_RATE": f"{LOSS_WEIGHT:.6f}",
        "LOSS": "sparse_categorical_crossentropy",
        "METRICS": ", ".join(METRICS),
        "UNSUPERVISED": "False",
        "UNSUPERVISED_ROUNDS": "None",
        "CONFIDENCE": "None",
        "STREAM_TIMEOUT": "4000",
        "IMPROVEMENT": "None",
        "STREAMFIT_MINI_BATCH_SECONDS": "3",
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
    }


ENDLESS = {
    "STREAM_TIMEOUT": "-1",
    "IMPROVEMENT": f"{LEAST:.6f}",
    "STREAMFIT_MINI_BATCH": "200",
}


def script(data, size):
    """Yield history and each one's weights after each mini-batch: plain Keras."""
    tf_keras.utils.set_random_seed(1)
    models = [tf_keras.models.load_model(p, compile=False) for p in chain_files(2)]
    between, prediction = models[0](models[0].input)
    joined = tf_keras.Model(models[0].input, [prediction, models[1](between)])
    joined.compile(
        optimizer="adam",
        loss={model.name: "sparse_categorical_crossentropy" for model in models},
        metrics={model.name: list(METRICS) for model in models},
        loss_weights=[LOSS_WEIGHT] * 2,
    )
    for first in range(0, len(data[0]), size):
        features, labels = (array[first : first + size] for array in data)
        cut = int(0.9 * len(features))
        fitted = joined.fit(
            features[:cut],
            labels[:cut],
            batch_size=BATCH,
            epochs=EPOCHS,
            shuffle=False,
            validation_data=(features[cut:], labels[cut:]),
            verbose=0,
        )
        yield fitted.history, [model.get_weights() for model in models]


def better(data, size, watched="val_loss"):
    """Yield those of the script that the rule of section 10.4 picks."""
    reference = None
    for history, weights in script(data, size):
        value = history[watched][-1]
        if reference is None:
            reference = value
        elif reference - value >= LEAST:
            reference = value
            yield history, weights


def assert_results(backend, expected, folder, *, indefinite):
    """Every URL got, for each of *expected*, its own sub-model's and nothing else."""
    for index, (sub, name) in enumerate(zip(backend.parts, NAMES[2], strict=True)):
        assert [f"trained_model_{index + 1}.h5"] * len(expected) == sub.file_names
        for (history, weights), result, content in zip(
            expected, sub.results, sub.posted, strict=True
        ):
            own = own_metrics(history, name, METRICS)
            assert own == result["train_metrics"]
            own = own_metrics(history, name, METRICS, "val_")
            assert own == result["val_metrics"]
            assert [] == result["test_metrics"]
            assert result["confusion_matrix"] is None
            assert result["indefinite"] is indefinite
            assert_same(weights[index], content, folder)


def test_until_nothing_comes(backend, sender, variables, tmp_path):
    """Every number is that of a plain script, the last mini-batch's in the results."""
    data = arrays(500)
    sender.send(raw(*data))

    job = run({**variables, "STREAMFIT_MINI_BATCH": "300"})

    assert 0 == job.process.returncode
    fits = list(script(data, 300))
    assert [270, 180] == [line["rows"] for line in job.logged("mini-batch trained")]
    assert_results(backend, fits[-1:], tmp_path, indefinite=False)
    for sub, name in zip(backend.parts, NAMES[2], strict=True):
        assert 1 == sub.downloads
        for kind, prefix in (("train_metrics", ""), ("val_metrics", "val_")):
            first, last = (own_metrics(fit, name, METRICS, prefix) for fit, _ in fits)
            together = {metric: first[metric] + last[metric] for metric in first}
            assert together == sub.progress[-1][kind]


def test_endless(backend, sender, variables, tmp_path):
    """A chain whose total loss is better is posted, all of it; then 143."""
    data = arrays(2000)
    expected = list(better(data, 200))
    assert 2 <= len(expected) < 9
    for name in NAMES[2]:  # a sub-model's own loss is not what is watched
        assert len(list(better(data, 200, f"val_{name}_loss"))) != len(expected)

    with running({**variables, **ENDLESS}) as job:
        sender.send(raw(*data))
        wait_for_lines(job, "mini-batch trained", 10)
        job.process.terminate()
        assert 143 == job.wait()

    assert [] == job.foreign
    assert_results(backend, expected, tmp_path, indefinite=True)
    for sub in backend.parts:
        assert 10 * EPOCHS == len(sub.progress[-1]["train_metrics"]["loss"])


def test_killed_while_posting(backend, sender, variables, tmp_path):
    """A better chain that not every URL accepted is posted by the next process."""
    data = [array[:600] for array in arrays(2000)]
    expected = list(better(data, 200))
    assert 1 == len(expected)
    last = backend.parts[-1]
    last.hold = 8.0

    with running({**variables, **ENDLESS}) as job:
        sender.send(raw(*data))
        assert last.asked.wait(60)
        job.process.kill()
        job.wait()
    last.hold = 0.0
    with running({**variables, **ENDLESS}) as job:
        job.wait_for("better model delivered")
        job.process.terminate()
        assert 143 == job.wait()

    assert_results(backend, expected * 2, tmp_path, indefinite=True)


def test_no_improvement(variables):
    """Without an end it must be known what is better: by how much, no more."""
    job = run({**variables, "STREAM_TIMEOUT": "-1"})

    (line,) = job.logged("job failed")
    assert 78 == job.process.returncode
    assert line["reason"].startswith("IMPROVEMENT: missing or empty, but needed")
