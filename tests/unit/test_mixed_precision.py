"""Layers that compute in 16 bits."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras

from adapters.tensorflow import ModelSettings, TensorFlowSettings, TensorFlowTrainer
from bootstrap.settings import load as load_settings
from domain.errors import SettingsInvalid
from tests.models import ArrayDataset, examples, model_file
from tests.models.keras_3 import save

ENGINES = {"Keras 2": tf_keras, "Keras 3": keras}


@pytest.fixture(params=ENGINES)
def engine(request):
    return ENGINES[request.param]


@pytest.fixture
def load(engine, tmp_path):
    def load(name, precision):
        trainer = TensorFlowTrainer(
            TensorFlowSettings(32, kwargs_fit={"epochs": 2}),
            tmp_path,
            repeat=False,
            model_settings=ModelSettings(streamfit_mixed_precision=precision),
        )
        if engine is keras:
            return trainer.load(save(name, tmp_path / f"{name}.keras"))
        return trainer.load(model_file(name))

    return load


def fit(model, name):
    epochs = []
    model.fit(ArrayDataset(examples(name)), None, epochs.append)
    return [epoch.training["loss"] for epoch in epochs]


def by_hand(engine, precision):
    """The digits model, as somebody would write it in mixed precision."""
    layers, mixed = engine.layers, f"mixed_{precision}"
    model = engine.Sequential(
        [
            engine.Input((8, 8)),
            layers.Flatten(dtype=mixed),
            layers.Dense(16, activation="relu", dtype=mixed),
            layers.Dense(10, activation="softmax"),
        ]
    )
    if engine is keras:
        optimizer, guard = keras.optimizers.Adam(), keras.optimizers.LossScaleOptimizer
    else:
        optimizer = tf_keras.optimizers.legacy.Adam()
        guard = tf_keras.mixed_precision.LossScaleOptimizer
    model.compile(
        guard(optimizer) if precision == "float16" else optimizer,
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_as_by_hand(engine, load, precision):
    """Losses and weights are those of a model that was made so."""
    model, expected = load("digits", precision), by_hand(engine, precision)
    expected.set_weights(model.keras_model.get_weights())
    data = examples("digits")

    losses = fit(model, "digits")

    history = expected.fit(
        data.features, data.labels, batch_size=32, epochs=2, shuffle=False, verbose=0
    ).history
    assert history["loss"] == losses
    for wanted, found in zip(
        expected.get_weights(), model.keras_model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(wanted, found)


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        *(
            (tf_keras, n)
            for n in ("cnn", "lstm", "regression", "two_outputs", "binary")
        ),
        *((keras, n) for n in ("cnn", "regression", "two_outputs")),
    ],
)
def test_other_models(load, name):
    """They train near what they do in 32 bits; outputs and weights have these."""
    plain, mixed = load(name, None), load(name, "bfloat16")

    expected, found = fit(plain, name), fit(mixed, name)

    np.testing.assert_allclose(found, expected, rtol=0.05)
    assert found != expected
    model = mixed.keras_model
    batch = examples(name)[:2].features
    predicted = plain.keras_model.predict(batch, verbose=0)
    outputs = model.predict(batch, verbose=0)
    assert np.asarray(predicted).dtype == np.asarray(outputs).dtype
    assert {"float32"} == {np.asarray(w).dtype.name for w in model.get_weights()}


def test_goes_back(load, engine):
    """The trained file is of 32 bits throughout, as it came."""
    model = load("cnn", "bfloat16")
    fit(model, "cnn")

    trained = engine.models.load_model(model.save())

    assert (
        "float32" == trained.layers[-1].dtype_policy.name if engine is keras else True
    )
    for wanted, found in zip(
        model.keras_model.get_weights(), trained.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(wanted, found)


def test_refused():
    """Other types are refused by name."""
    with pytest.raises(
        SettingsInvalid, match="STREAMFIT_MIXED_PRECISION: want bfloat16"
    ):
        load_settings(ModelSettings, {"STREAMFIT_MIXED_PRECISION": "fp8"})
