"""Guesses of Keras models are those of plain Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras

from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from domain.errors import TrainingFailed
from tests.contracts.trainer import guessed
from tests.models import ArrayDataset, examples, model_file
from tests.models.keras_3 import save

ENGINES = {"Keras 2": tf_keras, "Keras 3": keras}


def load(path, folder):
    return TensorFlowTrainer(TensorFlowSettings(32), folder, repeat=False).load(path)


@pytest.fixture(params=list(ENGINES))
def engine(request):
    return ENGINES[request.param]


@pytest.mark.parametrize("count", [1, 32, 33, 70, 2100, 40_000])
def test_like_predict(engine, tmp_path, count):
    """However many there are, and wherever the blocks end."""
    path = model_file("digits")
    if engine is keras:
        path = save("digits", tmp_path / "model.keras")
    data = examples("digits", count)
    expected = engine.models.load_model(path).predict(
        data.features, batch_size=32, verbose=0
    )

    model = load(path, tmp_path)
    for _ in range(2):
        classes, scores = guessed(model, ArrayDataset(data))

        np.testing.assert_array_equal(expected.argmax(axis=1), classes)
        np.testing.assert_array_equal(expected.max(axis=1), scores)


def test_between_fits(tmp_path):
    """Fits that follow each other are the same with guesses between them."""
    few, many = examples("digits", 33), examples("digits", 2100)
    models = [load(model_file("digits"), tmp_path) for _ in range(2)]
    for model in models:
        model.fit(ArrayDataset(few), None, lambda _: None)
    guessed(models[0], ArrayDataset(many))
    for model in models:
        model.fit(ArrayDataset(many), ArrayDataset(few), lambda _: None)

    one, other = (model.save().read_bytes() for model in models)
    assert one == other


def test_last_output(tmp_path):
    """Of several outputs, the last one counts."""
    path, data = model_file("two_outputs"), examples("two_outputs", 70)
    outputs = tf_keras.models.load_model(path).predict(
        data.features, batch_size=32, verbose=0
    )

    classes, scores = guessed(load(path, tmp_path), ArrayDataset(data))

    np.testing.assert_array_equal(outputs[-1].argmax(axis=1), classes)
    np.testing.assert_array_equal(outputs[-1].max(axis=1), scores)


def test_logits(tmp_path):
    """Where the loss knows of logits, the score is a probability."""
    path, data = model_file("bidirectional"), examples("bidirectional", 70)
    logits = tf_keras.models.load_model(path).predict(
        data.features, batch_size=32, verbose=0
    )

    classes, scores = guessed(load(path, tmp_path), ArrayDataset(data))

    np.testing.assert_array_equal(logits.argmax(axis=1), classes)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares.max(axis=1), scores, rtol=1e-5)


def test_no_classifier(tmp_path):
    """What predicts numbers cannot label anything."""
    model = load(model_file("regression"), tmp_path)
    data = examples("regression", 70)

    with pytest.raises(TrainingFailed, match="wants a classifier"):
        guessed(model, ArrayDataset(data))
