"""The same training in a few lines of plain Keras, on arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

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
