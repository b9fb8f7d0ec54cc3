"""
Write the untrained models of this folder with the TensorFlow that runs the script.

    python tests/models/make_models.py FOLDER [NAME.h5 ...]

The real ones wrote them: TensorFlow 2.7.4 (`tensorflow-2.7`, what the platform runs)
and 2.2.3 (`tensorflow-2.2`, what it ran in 2020).  Names that end in ``.zip`` ask for
zipped SavedModels.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import tensorflow as tf

keras = tf.keras
layers = keras.layers


def digits():
    """A digit's 8 x 8 grey values to one of ten classes; labels are integers."""
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


def cnn():
    """The same in colour depth one, with a block, state besides weights, a schedule."""
    block = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            # A bias before normalisation has no gradient, and Adam makes it from noise.
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


def lstm():
    """Six words to one of three classes; labels are one-hot."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Embedding(20, 4, mask_zero=True),
            layers.LSTM(4),
            layers.Dense(3, activation="softmax"),
        ],
        name="lstm",
    )
    model.compile(
        keras.optimizers.RMSprop(0.01), "categorical_crossentropy", metrics=["acc"]
    )
    return model


def binary():
    """Thirty measurements to yes or no, through one sigmoid unit."""
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(8, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="binary",
    )
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.BinaryCrossentropy(),
        metrics=["accuracy", keras.metrics.AUC(num_thresholds=20, name="auc")],
    )
    return model


def regression():
    """Five measurements to a number."""
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(8, activation="tanh"), layers.Dense(1)],
        name="regression",
    )
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mae"])
    return model


def two_outputs():
    """Two classifiers over the same four measurements and the same label."""
    inputs = keras.Input((4,))
    hidden = layers.Dense(6, activation="relu")(inputs)
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
        ["sparse_categorical_crossentropy", "sparse_categorical_crossentropy"],
        metrics=["accuracy"],
        loss_weights=[0.25, 1.0],
    )
    return model


def bidirectional():
    """Six words, read both ways, to one of three classes; labels are integers."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Embedding(20, 4),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.Bidirectional(layers.GRU(2), merge_mode="sum"),
            layers.Dense(3),
        ],
        name="bidirectional",
    )
    model.compile(
        keras.optimizers.Nadam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2, name="top"), "acc"],
    )
    return model


def nested():
    """A functional model in another, used twice, with a block of its own inside."""
    narrow, wide = keras.Input((4,)), keras.Input((5,))
    block = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5), layers.LayerNormalization()], name="block"
    )
    inner = keras.Model(narrow, block(narrow), name="inner")
    left, right = layers.Dense(4)(wide), layers.Dense(4)(wide)
    both = layers.Concatenate()([inner(left), inner(right), wide])
    model = keras.Model(wide, layers.Dense(1)(both), name="nested")
    model.compile(keras.optimizers.Adagrad(0.05), "mae", metrics=["mse"])
    return model


def operations():
    """Functions of TensorFlow between the layers, as if they were layers."""
    inputs = keras.Input((4,))
    hidden = tf.nn.relu(layers.Dense(6)(inputs) * 2.0 + 0.5)
    hidden = 1.0 - tf.concat([hidden, tf.square(inputs)], axis=-1)
    hidden = hidden[:, 1:8] / tf.reduce_max(tf.abs(hidden), axis=-1, keepdims=True)
    outputs = tf.nn.softmax(layers.Dense(3)(tf.reshape(hidden, (-1, 7))))
    model = keras.Model(inputs, outputs, name="operations")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def mixed():
    """Computes in bfloat16, and keeps its weights in float32."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = keras.Sequential(
            [
                keras.Input((5,)),
                layers.Dense(8, activation="tanh"),
                layers.Dense(1, dtype="float32"),
            ],
            name="mixed",
        )
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def older():
    """Its optimizer is described as before TensorFlow 2: by `lr` and `decay`."""
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(8, activation="tanh"), layers.Dense(1)],
        name="older",
    )
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9, decay=0.1)
    rewrite_config(optimizer, learning_rate="lr")
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def rewrite_config(optimizer, **names):
    """Let *optimizer* describe itself by other *names*."""
    config = {names.get(k, k): v for k, v in optimizer.get_config().items()}
    optimizer.get_config = lambda: config


def code():
    """Holds Python code: a Lambda layer, inside another model."""
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Lambda(lambda x: x * 2, name="double")], name="inner"
    )
    model = keras.Sequential(
        [keras.Input((4,)), inner, layers.Dense(1)], name="with_code"
    )
    model.compile("sgd", "mse")
    return model


def uncompiled():
    """Cannot be trained: nobody said how."""
    return keras.Sequential([keras.Input((4,)), layers.Dense(1)], name="uncompiled")


def chain_1():
    """First in a chain: a digit to what the next one takes, and to a class."""
    inputs = keras.Input((8, 8))
    hidden = layers.Dense(12, activation="relu")(layers.Flatten()(inputs))
    own = layers.Dense(10, activation="softmax")(hidden)
    return keras.Model(inputs, [hidden, own], name="model_1")


def chain_2():
    """In the middle of a chain; its name begins like those of the others."""
    inputs = keras.Input((12,))
    hidden = layers.BatchNormalization()(layers.Dense(12, use_bias=False)(inputs))
    own = layers.Dense(10, activation="softmax")(hidden)
    return keras.Model(inputs, [hidden, own], name="model")


def chain_3():
    """Last in a chain, behind either of the others."""
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(9, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="model_10",
    )


MODELS = [
    digits,
    cnn,
    lstm,
    binary,
    regression,
    two_outputs,
    bidirectional,
    nested,
    operations,
    mixed,
    older,
    code,
    uncompiled,
    chain_1,
    chain_2,
    chain_3,
]

if __name__ == "__main__":
    folder, *wanted = sys.argv[1:]
    for make in MODELS:
        for suffix in (".h5", ".zip"):
            name = make.__name__ + suffix
            if name not in wanted and (wanted or suffix == ".zip"):
                continue
            keras.backend.clear_session()
            tf.random.set_seed(1)
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if suffix == ".h5":
                make().save(path.as_posix())
            else:
                with tempfile.TemporaryDirectory() as saved_model:
                    make().save(saved_model)
                    shutil.make_archive(path.with_suffix(""), "zip", saved_model)
            print(path, path.stat().st_size)  # noqa: T201
