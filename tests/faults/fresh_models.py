"""
Models as the platform makes them for every download: other weights, other names.

They have what is hard to keep: statistics of batches, dropout, an optimizer's state.
"""

from __future__ import annotations

from pathlib import Path

import tf_keras

layers = tf_keras.layers

CONSTANT = "among_all"
"""A metric of `digits` that is always the same: the class is one of the ten."""


def digits(folder: Path) -> bytes:
    """Make a compiled model."""
    model = tf_keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    constant = tf_keras.metrics.SparseTopKCategoricalAccuracy(10, CONSTANT)
    metrics = ["accuracy", constant]
    model.compile("adam", "sparse_categorical_crossentropy", metrics=metrics)
    return _written(model, folder)


def chain(folder: Path) -> list[bytes]:
    """Make two sub-models, which the job is to join and to compile."""
    inputs = layers.Input((8, 8))
    hidden = layers.Dense(12, activation="relu")(layers.Flatten()(inputs))
    passed_on = layers.Dropout(0.3)(layers.BatchNormalization()(hidden))
    prediction = layers.Dense(10, activation="softmax")(hidden)
    first = tf_keras.Model(inputs, [passed_on, prediction])
    inputs = layers.Input((12,))
    hidden = layers.Dropout(0.3)(layers.Dense(9, activation="relu")(inputs))
    last = tf_keras.Model(inputs, layers.Dense(10, activation="softmax")(hidden))
    return [_written(model, folder) for model in (first, last)]


def _written(model: tf_keras.Model, folder: Path) -> bytes:
    path = folder / "model.h5"
    model.save(path)
    return path.read_bytes()
