"""
Writes the untrained models: ``python -m benchmarks.contenders.models FOLDER``.

With the peers' TensorFlow, and as the platform's own would write them: both sides load
and train the same file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

keras = tf.keras
layers = keras.layers


def dense() -> keras.Model:
    """784-128-10."""
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="dense",
    )


def cnn() -> keras.Model:
    """Two convolutions, small enough for two processors."""
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        name="cnn",
    )


def main() -> None:
    """Write all of them."""
    folder = Path(sys.argv[1])
    keras.utils.set_random_seed(1)
    for model in (dense(), cnn()):
        model.compile(
            # The only Adam there was; in small steps, as pixels are not scaled here.
            keras.optimizers.legacy.Adam(1e-5),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        model.save(folder / f"{model.name}.h5")


if __name__ == "__main__":
    main()
