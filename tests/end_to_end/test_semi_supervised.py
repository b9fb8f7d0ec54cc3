"""The job as today's platform starts it for semi-supervised training (cases 1, 3)."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from domain.phases import Phase
from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import Sender, message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits, part
from tests.end_to_end.test_distributed import METRICS, back_end, weights
from tests.faults import dying_job
from tests.models import chain_files, model_file

pytestmark = pytest.mark.kafka

EPOCHS, LABELLED, ALL = 3, 200, 600
CONFIDENCE = 0.6


@pytest.fixture
def semi_supervised(variables):
    """The variables of the mode, but for the URL, as the platform writes them."""
    return {
        **variables,
        "UNSUPERVISED": "True",
        "UNSUPERVISED_ROUNDS": "4",
        "CONFIDENCE": "0.600000",
    }


def announced(kafka, sender, arrays, **fields):
    """Send the first examples with their labels, the others with a null byte as key."""
    topic = unique("unlabelled")
    KafkaTopics(kafka).create(topic)
    unlabelled = Sender(kafka, topic, sender.control)
    images, labels = arrays
    values = raw(images[LABELLED:], labels[LABELLED:])
    fields["unsupervised_topic"] = unlabelled.send([(b"\x00", v) for _, v in values])
    ranges = sender.send(raw(*part(arrays, 0, LABELLED)))
    sender.announce(message(ranges, LABELLED, input_config=RAW_DIGITS, **fields))


def plain(model, arrays, *, batch=32, shuffled=True, rounds=4):
    """
    Do the same in plain Keras: parts of 80, 10 and 10 %, and an order per epoch.

    Returns:
        The epochs, the metrics on the test part, and how many each round labelled.
    """
    eight, nine, ten = 8 * LABELLED // 10, 9 * LABELLED // 10, LABELLED
    features, labels = part(arrays, 0, eight)
    test, validation = part(arrays, eight, nine), part(arrays, nine, ten)
    rest = arrays[0][LABELLED:]
    epochs, counts = [], []

    def fit():
        for _ in range(EPOCHS):
            order = np.arange(len(features))
            if shuffled:
                seeded = np.random.PCG64([0, 1, len(epochs)])
                order = np.random.Generator(seeded).permutation(order)
            one = model.fit(
                features[order],
                labels[order],
                batch_size=batch,
                shuffle=False,
                validation_data=validation,
                verbose=0,
            )
            epochs.append({name: value for name, (value,) in one.history.items()})

    fit()
    while len(counts) < rounds and len(rest):
        outputs = model.predict(rest, batch_size=batch, verbose=0)
        scores = outputs[-1] if isinstance(outputs, list) else outputs
        sure = scores.max(axis=1) >= CONFIDENCE
        if not sure.any():
            break
        counts.append(int(sure.sum()))
        guessed = scores.argmax(axis=1)[sure, None].astype(labels.dtype)
        features = np.concatenate([features, rest[sure]])
        labels = np.concatenate([labels, guessed])
        rest = rest[~sure]
        fit()
    tested = model.evaluate(*test, batch_size=batch, verbose=0, return_dict=True)
    return epochs, tested, counts


def single():
    import tf_keras

    model = tf_keras.models.load_model(model_file("digits"))
    model.compile(model.optimizer, model.loss, metrics=["accuracy"])
    return model


def joined():
    """Return a chain of two as one model of plain Keras, and the two."""
    import tf_keras

    edge, cloud = (
        tf_keras.models.load_model(path, compile=False) for path in chain_files(2)
    )
    passed_on, prediction = edge(edge.input)
    model = tf_keras.Model(edge.input, [prediction, cloud(passed_on)])
    model.compile(
        optimizer="adam",
        loss=dict.fromkeys((edge.name, cloud.name), "sparse_categorical_crossentropy"),
        metrics={edge.name: list(METRICS), cloud.name: list(METRICS)},
        loss_weights=[0.25, 0.25],
    )
    return model, (edge, cloud)


def assert_same_sub_models(backend, parts, epochs, counts):
    """Each has its own metrics and weights, to the last digit."""
    for sub, model in zip(backend.parts, parts, strict=True):
        (result,) = sub.results
        for name in ("loss", *METRICS):
            own = f"{model.name}_{name}"
            assert [one[own] for one in epochs] == result["train_metrics"][name]
            assert [one[f"val_{own}"] for one in epochs] == result["val_metrics"][name]
        assert counts == result["labelled_per_round"]
        expected = [
            np.asarray(weight)
            for layer in model.layers
            for weight in layer.trainable_weights + layer.non_trainable_weights
        ]
        for one, other in zip(expected, weights(sub.trained), strict=True):
            np.testing.assert_array_equal(one, other)
    assert counts


def assert_same_result(backend, expected):
    """Every loss and metric is Keras's own, to the last digit, round after round."""
    epochs, tested, counts = expected
    (result,) = backend.results
    for name in ("loss", "accuracy"):
        assert [one[name] for one in epochs] == result["train_metrics"][name]
        assert [one[f"val_{name}"] for one in epochs] == result["val_metrics"][name]
    assert EPOCHS * (1 + len(counts)) == len(epochs)
    assert {name: [value] for name, value in tested.items()} == result["test_metrics"]
    assert counts == result["labelled_per_round"]
    assert len(counts) > 1
    assert result["indefinite"] is False
    assert result["confusion_matrix"]
    assert [] == backend.refused


@pytest.mark.parametrize("like", ["arrays", "stream"])
def test_whole_job(kafka, backend, sender, semi_supervised, like):
    """By default 32 examples a step and shuffled; or BATCH, in the stream's order."""
    arrays = digits(ALL)
    announced(kafka, sender, arrays)
    if like == "stream":
        semi_supervised["STREAMFIT_SEMI_SUPERVISED_FIT"] = "stream"

    job = run({**semi_supervised, "RESULT_URL": backend.url})

    assert 0 == job.process.returncode
    expected = plain(
        single(),
        arrays,
        batch={"arrays": 32, "stream": 16}[like],
        shuffled=like == "arrays",
    )
    assert_same_result(backend, expected)
    lines = job.logged("examples labelled")
    assert expected[2] == [line["labelled"] for line in lines if line["labelled"]]
    remaining = ALL - LABELLED - sum(expected[2])
    assert remaining == lines[-1]["remaining"]


def test_nothing_unlabelled(backend, sender, semi_supervised):
    """Without unlabelled records it is the job of case 1, BATCH and order included."""
    arrays = digits()
    ranges = sender.send(raw(*arrays))
    sender.announce(message(ranges, 150, input_config=RAW_DIGITS))

    job = run({**semi_supervised, "RESULT_URL": backend.url})
    first = dict(backend.results.pop())
    other = run({**semi_supervised, "UNSUPERVISED": "False", "RESULT_URL": backend.url})

    assert [0, 0] == [job.process.returncode, other.process.returncode]
    (second,) = backend.results
    del first["training_time"], second["training_time"]
    assert first == second


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_rounds(kafka, backend, sender, semi_supervised, tmp_path, how):
    """Killed in every round, the job goes on there, to the same last digit."""
    arrays = digits(ALL)
    announced(kafka, sender, arrays)
    variables = {
        **semi_supervised,
        "RESULT_URL": backend.url,
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
        "STREAMFIT_CHECKPOINT_SECONDS": "0",
    }

    code = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143}[how]
    went_on = []
    for epoch in (2, EPOCHS, EPOCHS):  # counted from where a process goes on
        death = dying_job.death(Phase.REPORTING, epoch, how)
        with running(variables | death, dying_job.COMMAND) as job:
            assert code == job.wait()
        went_on += job.logged("training goes on")
    last = run(variables)

    assert 0 == last.process.returncode
    kept = last.logged("stream goes on where it was")
    assert [(LABELLED, []), (ALL - LABELLED, [])] == [
        (line["examples"], line["rest"]) for line in kept
    ]
    assert 2 == len(went_on)
    assert_same_result(backend, plain(single(), arrays))


def test_chain(kafka, httpserver, sender, semi_supervised):
    """Of a chain, the last sub-model's guesses count."""
    backend, arrays = back_end(httpserver, 2), digits(ALL)
    announced(kafka, sender, arrays)

    job = run(
        {
            **semi_supervised,
            **backend.variables,
            "CASE": "3",
            "OPTIMIZER": "adam",
            "LEARNING_RATE": "0.250000",
            "LOSS": "sparse_categorical_crossentropy",
            "METRICS": ", ".join(METRICS),
            "CONFIDENCE": str(CONFIDENCE),
        }
    )

    model, parts = joined()
    epochs, _, counts = plain(model, arrays)
    assert 0 == job.process.returncode
    assert_same_sub_models(backend, parts, epochs, counts)
