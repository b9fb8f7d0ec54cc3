"""The same training in a few lines of plain Keras, on arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")

Arrays = tuple[np.ndarray, np.ndarray]


def train(
    model_file: Path,
    training: Arrays,
    validation: Arrays | None = None,
    test: Arrays | None = None,
    *,
    batch: int,
    epochs: int,
    metrics: Sequence[str] = ("accuracy",),
) -> tuple[dict[str, list[float]], dict[str, float], np.ndarray | None]:
    """Return Keras' history, the metrics and the predictions on the test part."""
    import tf_keras

    tf_keras.utils.set_random_seed(1)
    model = tf_keras.models.load_model(model_file)
    model.compile(model.optimizer, model.loss, metrics=list(metrics))
    history = model.fit(
        *training,
        batch_size=batch,
        epochs=epochs,
        shuffle=False,
        validation_data=validation,
        verbose=0,
    ).history
    if test is None:
        return history, {}, None
    tested = model.evaluate(*test, batch_size=batch, verbose=0, return_dict=True)
    return history, tested, model.predict(test[0], batch_size=batch, verbose=0)


def train_chain(
    model_files: Sequence[Path],
    training: Arrays,
    validation: Arrays | None = None,
    test: Arrays | None = None,
    *,
    batch: int,
    epochs: int,
    metrics: Sequence[str],
    loss_weight: float | None,
    optimizer: object = "adam",
) -> tuple[dict[str, list[float]], dict[str, float], list]:
    """
    Do the same for a chain of sub-models, as section 10.3 of the contract says.

    Returns:
        Keras's history, the metrics on the test part, and the trained sub-models.
    """
    import tf_keras

    tf_keras.utils.set_random_seed(1)
    models = [tf_keras.models.load_model(p, compile=False) for p in model_files]
    tensor, predictions = models[0].input, []
    for model in models[:-1]:
        tensor, prediction = model(tensor)
        predictions.append(prediction)
    predictions.append(models[-1](tensor))
    joined = tf_keras.Model(models[0].input, predictions)
    joined.compile(
        optimizer=optimizer,
        loss={model.name: "sparse_categorical_crossentropy" for model in models},
        metrics={model.name: list(metrics) for model in models},
        loss_weights=loss_weight and [loss_weight] * len(models),
    )
    history = joined.fit(
        *training,
        batch_size=batch,
        epochs=epochs,
        shuffle=False,
        validation_data=validation,
        verbose=0,
    ).history
    tested = {}
    if test is not None:
        tested = joined.evaluate(*test, batch_size=batch, verbose=0, return_dict=True)
    return history, tested, models


def own_metrics(
    metrics: Mapping[str, T], name: str, names: Sequence[str], prefix: str = ""
) -> dict[str, T]:
    """Pick those of the sub-model *name*, each by its exact name."""
    return {own: metrics[f"{prefix}{name}_{own}"] for own in ("loss", *names)}
