"""Untrained models of Keras 3, made when a test runs: this Keras is the real one."""

from __future__ import annotations

from pathlib import Path

import keras

layers = keras.layers


def digits() -> keras.Model:
    """As the model of that name in make_models.py."""
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def cnn() -> keras.Model:
    """As the model of that name in make_models.py."""
    block = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(3, 2),
        ],
        name="block",
    )
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            block,
            layers.MaxPool2D(),
            layers.Flatten(),
            layers.Dropout(0.1, seed=1),
            layers.Dense(10, activation="softmax"),
        ],
        name="cnn",
    )
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 2, 0.5)
    model.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy", keras.metrics.SparseCategoricalAccuracy(name="truth")],
    )
    return model


def bidirectional() -> keras.Model:
    """As the model of that name in make_models.py."""
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(20, 4),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.Bidirectional(layers.GRU(2), merge_mode="sum"),
            layers.Dense(3),
        ],
        name="bidirectional",
    )
    model.compile(
        keras.optimizers.RMSprop(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["acc"],
    )
    return model


def two_outputs() -> keras.Model:
    """As the model of that name in make_models.py, with regularized weights."""
    inputs = keras.Input((4,))
    hidden = layers.Dense(6, activation="relu", kernel_regularizer="l2")(inputs)
    model = keras.Model(
        inputs,
        [
            layers.Dense(3, activation="softmax", name="early")(inputs),
            layers.Dense(3, activation="softmax", name="late")(hidden),
        ],
        name="two_outputs",
    )
    model.compile(
        "adam",
        [
            "sparse_categorical_crossentropy",
            keras.losses.sparse_categorical_crossentropy,
        ],
        metrics=["accuracy", "accuracy"],
        loss_weights=[0.25, 1.0],
    )
    return model


def regression() -> keras.Model:
    """As the model of that name in make_models.py."""
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(8, activation="tanh"), layers.Dense(1)],
        name="regression",
    )
    model.compile("sgd", keras.losses.mean_squared_error, metrics=["mae"])
    return model


def operations() -> keras.Model:
    """As the model of that name in make_models.py; HDF5 of Keras 3 cannot hold it."""
    inputs = keras.Input((4,))
    hidden = keras.ops.relu(layers.Dense(6)(inputs) * 2.0 + 0.5)
    hidden = 1.0 - keras.ops.concatenate([hidden, keras.ops.square(inputs)], axis=-1)
    outputs = layers.Dense(3, activation="softmax")(hidden[:, 1:8])
    model = keras.Model(inputs, outputs, name="operations")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def mixed() -> keras.Model:
    """As the model of that name in make_models.py."""
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(8, activation="tanh", dtype="mixed_bfloat16"),
            layers.Dense(1),
        ],
        name="mixed",
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


MODELS = {
    make.__name__: make
    for make in (digits, cnn, bidirectional, two_outputs, regression, operations, mixed)
}


def save(name: str, path: Path) -> Path:
    """Write the model *name* to *path*, in the format that its suffix says."""
    keras.utils.set_random_seed(1)
    MODELS[name]().save(path)
    return path
