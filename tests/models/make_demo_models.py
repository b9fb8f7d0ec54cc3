"""
Write the demo's untrained models, as the platform's back-end writes them.

Run it in TensorFlow 2.7, the platform's own: ``.oracles/tensorflow-2.7/bin/python
tests/models/make_demo_models.py``.
"""

from pathlib import Path

import tensorflow as tf

MODELS = Path(__file__).parents[2] / "bootstrap/demo/models"
layers = tf.keras.layers

tf.random.set_seed(7)
digits = tf.keras.Sequential(
    [
        layers.Input((8, 8, 1)),
        layers.Rescaling(1 / 16),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ],
    name="digits",
)
digits.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
digits.save(MODELS / "digits.h5")

breast_cancer = tf.keras.Sequential(
    [
        layers.Input((30,)),
        layers.BatchNormalization(),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ],
    name="breast_cancer",
)
breast_cancer.compile("adam", "binary_crossentropy", metrics=["accuracy"])
breast_cancer.save(MODELS / "breast_cancer.h5")

# A chain: the edge passes pictures on, and has a quick guess; neither is compiled.
edge_input = layers.Input((8, 8, 1))
passed_on = layers.Rescaling(1 / 16)(edge_input)
passed_on = layers.Conv2D(16, 3, activation="relu")(passed_on)
guess = layers.Flatten()(layers.MaxPooling2D(3)(passed_on))
guess = layers.Dense(10, activation="softmax")(guess)
edge = tf.keras.Model(edge_input, [passed_on, guess], name="edge")
edge.save(MODELS / "edge.h5")

cloud = tf.keras.Sequential(
    [
        layers.Input((6, 6, 16)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ],
    name="cloud",
)
cloud.save(MODELS / "cloud.h5")
