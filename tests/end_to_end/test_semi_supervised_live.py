"""Semi-supervised training where unlabelled records are still coming (cases 2, 4)."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from domain.phases import Phase
from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import Sender, message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits, part
from tests.end_to_end.test_distributed import METRICS, back_end
from tests.end_to_end.test_incremental import wait_for_lines
from tests.end_to_end.test_semi_supervised import (
    ALL,
    CONFIDENCE,
    EPOCHS,
    LABELLED,
    assert_same_sub_models,
    joined,
    single,
)
from tests.faults import dying_job

pytestmark = pytest.mark.kafka

SIZE = 150


@pytest.fixture
def live(variables):
    """The variables of the mode, but for the URL, as the platform writes them."""
    return {
        **variables,
        "CASE": "2",
        "UNSUPERVISED": "True",
        "UNSUPERVISED_ROUNDS": "4",
        "CONFIDENCE": f"{CONFIDENCE:.6f}",
        "STREAM_TIMEOUT": "3000",
        "MONITORING_METRIC": "",
        "CHANGE": "",
        "IMPROVEMENT": "None",
        "STREAMFIT_MINI_BATCH": str(SIZE),
        "STREAMFIT_MINI_BATCH_SECONDS": "2",
    }


def announced(kafka, sender, arrays, **fields):
    """Announce the first examples as ranges; return what sends the others' values."""
    topic = unique("unlabelled")
    KafkaTopics(kafka).create(topic)
    ranges = sender.send(raw(*part(arrays, 0, LABELLED)))
    fields = {"unsupervised_topic": topic, "input_config": RAW_DIGITS, **fields}
    sender.announce(message(ranges, LABELLED, **fields))
    values = raw(arrays[0][LABELLED:], arrays[1][LABELLED:])
    unlabelled = Sender(kafka, topic, sender.control)
    return lambda first, stop: unlabelled.send(
        [(b"\x00", v) for _, v in values[first:stop]]
    )


def plain(model, arrays):
    """
    Do the same in plain Keras: parts of 80, 10 and 10 %, and an order per epoch.

    Returns:
        The epochs of each training, the metrics on the test part, and how many of each
        mini-batch were labelled.
    """
    eight, nine, ten = 8 * LABELLED // 10, 9 * LABELLED // 10, LABELLED
    features, labels = part(arrays, 0, eight)
    test, validation = part(arrays, eight, nine), part(arrays, nine, ten)
    fits, counts = [], []

    def fit():
        fits.append([])
        for _ in range(EPOCHS):
            seeded = np.random.PCG64([0, 1, sum(map(len, fits))])
            order = np.random.Generator(seeded).permutation(len(features))
            one = model.fit(
                features[order],
                labels[order],
                batch_size=32,
                shuffle=False,
                validation_data=validation,
                verbose=0,
            )
            fits[-1].append({name: value for name, (value,) in one.history.items()})

    fit()
    for first in range(LABELLED, ALL, SIZE):
        rest = arrays[0][first : first + SIZE]
        outputs = model.predict(rest, batch_size=32, verbose=0)
        scores = outputs[-1] if isinstance(outputs, list) else outputs
        sure = scores.max(axis=1) >= CONFIDENCE
        if not sure.any():
            break
        counts.append(int(sure.sum()))
        guessed = scores.argmax(axis=1)[sure, None].astype(labels.dtype)
        features = np.concatenate([features, rest[sure]])
        labels = np.concatenate([labels, guessed])
        fit()
    tested = model.evaluate(*test, batch_size=32, verbose=0, return_dict=True)
    return fits, tested, counts


def assert_same_result(result, expected):
    """Every loss and metric is Keras's own, to the last digit, fit after fit."""
    fits, tested, counts = expected
    epochs = [epoch for fit in fits for epoch in fit]
    for name in ("loss", "accuracy"):
        assert [one[name] for one in epochs] == result["train_metrics"][name]
        assert [one[f"val_{name}"] for one in epochs] == result["val_metrics"][name]
    assert {name: [value] for name, value in tested.items()} == result["test_metrics"]
    assert counts == result["labelled_per_round"]
    assert len(counts) > 1
    assert result["indefinite"] is False
    assert result["confusion_matrix"]


def test_until_nothing_comes(kafka, backend, sender, live):
    """What comes is labelled as it comes, and the numbers are a plain script's."""
    arrays = digits(ALL)
    send = announced(kafka, sender, arrays)
    send(0, 200)

    with running({**live, "RESULT_URL": backend.url}) as job:
        job.wait_for("mini-batch trained")
        send(200, ALL)
        assert 0 == job.wait()

    (result,) = backend.results
    assert_same_result(result, plain(single(), arrays))
    assert [] == backend.refused


def test_sure_of_nothing(kafka, backend, sender, live):
    """A mini-batch without a sure guess ends the training, whatever else comes."""
    arrays = digits(ALL)
    send = announced(kafka, sender, arrays)
    send(0, ALL)

    job = run({**live, "RESULT_URL": backend.url, "CONFIDENCE": "1.0"})

    assert 0 == job.process.returncode
    (result,) = backend.results
    assert EPOCHS == len(result["train_metrics"]["loss"])
    assert "labelled_per_round" not in result
    assert [0] == [line["labelled"] for line in job.logged("examples labelled")]


def test_endless(kafka, backend, sender, live):
    """Better models are posted as in case 2."""
    arrays = digits(ALL)
    send = announced(kafka, sender, arrays)
    send(0, ALL)
    rule = {"MONITORING_METRIC": "loss", "CHANGE": "down", "IMPROVEMENT": "0.010000"}
    fits, _, counts = plain(single(), arrays)

    (reference, *later), better = [fit[-1]["val_loss"] for fit in fits[1:]], []
    for number, value in enumerate(later, 2):
        if reference - value >= 0.01:
            reference = value
            better.append(number)
    assert better

    with running(
        {**live, **rule, "RESULT_URL": backend.url, "STREAM_TIMEOUT": "-1"}
    ) as job:
        wait_for_lines(job, "better model delivered", len(better))
        job.process.send_signal(signal.SIGTERM)
        assert 143 == job.wait()

    assert [(True, counts[:n]) for n in better] == [
        (one["indefinite"], one["labelled_per_round"]) for one in backend.results
    ]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed(kafka, backend, sender, live, tmp_path, how):
    """Killed in every mini-batch, the job goes on there, to the same last digit."""
    arrays = digits(ALL)
    send = announced(kafka, sender, arrays)
    send(0, ALL)
    variables = {
        **live,
        "RESULT_URL": backend.url,
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
        "STREAMFIT_CHECKPOINT_SECONDS": "0",
    }

    code = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143}[how]
    for epoch in (2, EPOCHS + 1, EPOCHS + 2):  # counted from where a process goes on
        death = dying_job.death(Phase.REPORTING, epoch, how)
        with running(variables | death, dying_job.COMMAND) as job:
            assert code == job.wait()
    last = run(variables)

    assert 0 == last.process.returncode
    assert last.logged("training goes on")
    (result,) = backend.results
    assert_same_result(result, plain(single(), arrays))


def test_chain(kafka, httpserver, sender, live):
    """Of a chain, the last sub-model's guesses count (case 4)."""
    backend, arrays = back_end(httpserver, 2), digits(ALL)
    send = announced(kafka, sender, arrays)
    send(0, ALL)

    job = run(
        {
            **live,
            **backend.variables,
            "CASE": "4",
            "OPTIMIZER": "adam",
            "LEARNING_RATE": "0.250000",
            "LOSS": "sparse_categorical_crossentropy",
            "METRICS": ", ".join(METRICS),
        }
    )

    model, parts = joined()
    fits, _, counts = plain(model, arrays)
    epochs = [epoch for fit in fits for epoch in fit]
    assert 0 == job.process.returncode
    assert_same_sub_models(backend, parts, epochs, counts)
