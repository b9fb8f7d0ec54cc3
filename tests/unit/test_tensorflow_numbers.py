"""The same numbers, to the last bit, as Keras 2 gives for the same arrays."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from adapters.tensorflow.pipeline import Pipeline
from domain.batches import ExampleBatch
from tests.models import IN_2020, TRAINABLE, ArrayDataset, examples, model_file

BATCH = 32
legacy = tf_keras.optimizers.legacy

COMPILED = {
    "digits": lambda: {
        "optimizer": legacy.Adam(),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    },
    "cnn": lambda: {
        "optimizer": legacy.Adam(
            tf_keras.optimizers.schedules.ExponentialDecay(0.02, 2, 0.5)
        ),
        "loss": tf_keras.losses.SparseCategoricalCrossentropy(),
        "metrics": [
            "accuracy",
            tf_keras.metrics.SparseCategoricalAccuracy(name="truth"),
        ],
    },
    "lstm": lambda: {
        "optimizer": legacy.RMSprop(0.01),
        "loss": "categorical_crossentropy",
        "metrics": ["acc"],
    },
    "binary": lambda: {
        "optimizer": legacy.SGD(0.1, momentum=0.9),
        "loss": tf_keras.losses.BinaryCrossentropy(),
        "metrics": ["accuracy", tf_keras.metrics.AUC(num_thresholds=20, name="auc")],
    },
    "regression": lambda: {
        "optimizer": legacy.SGD(),
        "loss": "mse",
        "metrics": ["mae"],
        "weighted_metrics": ["mae"],
    },
    "two_outputs": lambda: {
        "optimizer": legacy.Adam(),
        "loss": ["sparse_categorical_crossentropy"] * 2,
        "metrics": ["accuracy"],
        "loss_weights": [0.25, 1.0],
    },
    "bidirectional": lambda: {
        "optimizer": legacy.Nadam(0.01),
        "loss": tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": [
            tf_keras.metrics.SparseTopKCategoricalAccuracy(2, name="top"),
            "acc",
        ],
    },
    "nested": lambda: {
        "optimizer": legacy.Adagrad(0.05),
        "loss": "mae",
        "metrics": ["mse"],
    },
    "operations": lambda: {
        "optimizer": legacy.SGD(),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    },
    "mixed": lambda: {
        "optimizer": legacy.Adam(0.01),
        "loss": "mse",
        "metrics": ["mae"],
    },
    "older": lambda: {
        "optimizer": legacy.SGD(0.05, momentum=0.9, decay=0.1),
        "loss": "mse",
        "metrics": ["mae"],
    },
}
"""How make_models.py compiled them, said again by hand."""


def plain(name: str, tensorflow: str = "2.7"):
    """Return the model in plain Keras 2, compiled by hand."""
    model = tf_keras.models.load_model(model_file(name, tensorflow), compile=False)
    model.compile(**COMPILED[name]())
    return model


def load(path: Path, workdir: Path, **kwargs_fit):
    settings = TensorFlowSettings(BATCH, kwargs_fit=kwargs_fit)
    return TensorFlowTrainer(settings, workdir, repeat=False).load(path)


@pytest.mark.parametrize(
    ("name", "tensorflow"),
    [(name, "2.7") for name in TRAINABLE] + [(name, "2.2") for name in IN_2020],
)
def test_as_arrays_in_plain_keras(name, tensorflow, tmp_path):
    """History, evaluation and weights equal those of `fit(x, y, shuffle=False)`."""
    train, validation = examples(name, 70), examples(name, 50, seed=1)
    model = load(model_file(name, tensorflow), tmp_path, epochs=2)
    expected = plain(name, tensorflow)
    epochs = []

    model.fit(ArrayDataset(train), ArrayDataset(validation), epochs.append)
    history = expected.fit(
        train.features,
        train.labels,
        validation_data=(validation.features, validation.labels),
        batch_size=BATCH,
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history

    ours = {n: [e.training[n] for e in epochs] for n in epochs[0].training} | {
        f"val_{n}": [e.validation[n] for e in epochs] for n in epochs[0].validation
    }
    assert list(history.items()) == list(ours.items())
    for weight, ours in zip(
        expected.get_weights(), model.keras_model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, ours)
    evaluated = expected.evaluate(
        validation.features,
        validation.labels,
        batch_size=BATCH,
        return_dict=True,
        verbose=0,
    )
    assert list(evaluated.items()) == list(
        model.evaluate(ArrayDataset(validation)).items()
    )


@pytest.mark.parametrize(
    "types",
    ["u1 u1", "i2 ?", "u4 i2", "i8 i8", "? f4", "f2 u8", "f8 f8", "f4 f2"],
)
def test_dtypes(types, tmp_path):
    """Whatever the types in the stream, Keras sees what it makes of such arrays."""
    features, label = types.split()
    made = examples("binary", 40)
    batch = ExampleBatch(
        (made.features * 3).astype(features), made.labels.astype(label)[:, None]
    )
    model = load(model_file("binary"), tmp_path)

    expected = plain("binary").evaluate(
        batch.features, batch.labels, batch_size=BATCH, return_dict=True, verbose=0
    )

    assert expected == model.evaluate(ArrayDataset(batch))


def test_several_reads_per_pass():
    """Batches are full, in order and typed, however the examples are read."""
    features = np.arange(9000 * 5, dtype=np.uint8).reshape(9000, 5)
    labels = np.arange(9000, dtype=np.float64)
    dataset = ArrayDataset(ExampleBatch(features, labels))

    batches = list(Pipeline(1000).feed(dataset))

    assert [1000] * 9 == [len(x) for x, _ in batches]
    np.testing.assert_array_equal(features, tf.concat([x for x, _ in batches], 0))
    np.testing.assert_array_equal(labels, tf.concat([y for _, y in batches], 0))
    assert {(tf.uint8, tf.float32)} == {(x.dtype, y.dtype) for x, y in batches}


@pytest.mark.parametrize(
    ("batch", "shape", "sizes"),
    [
        (32, (4,), {32_768}),
        (1000, (4,), {32_000}),
        (50_000, (4,), {50_000}),  # never less than a batch,
        (1, (1024, 1024), {16}),  # and else no more than sixteen mebibytes at once
        (32, (1024, 1024), {32}),
    ],
)
def test_read_in_whole_batches(batch, shape, sizes):
    """Examples are read many at a time, by whole batches, in bounded memory."""
    asked = set()

    class Recording(ArrayDataset):
        def batches(self, size, epoch=0, start=0):
            asked.add(size)
            return iter(())

    empty = np.zeros((0, *shape), np.uint8)
    list(Pipeline(batch).feed(Recording(ExampleBatch(empty, np.zeros(0)))))

    assert sizes == asked


def test_size_is_known():
    """Keras is told how many batches come, so that optimizers count right."""
    data = ArrayDataset(examples("digits", 70))

    assert 3 == Pipeline(32).feed(data).cardinality()
    assert 9 == Pipeline(32).feed(data, times=3).cardinality()
    assert (
        tf.data.INFINITE_CARDINALITY
        == Pipeline(32).feed(data, times=None).cardinality()
    )


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_training_goes_on(tmp_path):
    """A model that came with its optimizer's state goes on from there."""
    path = tmp_path / "half.h5"
    data = examples("digits", 70)
    half = plain("digits")
    half.fit(data.features, data.labels, batch_size=BATCH, shuffle=False, verbose=0)
    with h5py.File(path, "w") as file:
        half.save(file)
    model = load(path, tmp_path)

    model.fit(ArrayDataset(data), None, lambda _: None)

    half.fit(data.features, data.labels, batch_size=BATCH, shuffle=False, verbose=0)
    for weight, ours in zip(
        half.get_weights(), model.keras_model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, ours)


def test_examples_are_left_alone(tmp_path):
    """
    Examples are the same after training as before, so that every epoch sees the same.

    Given the memory itself, TensorFlow lets this model's first layer, a batch
    normalization, write over the last batch: in validation always, in training at
    times.
    """
    # TensorFlow takes over memory only where it is aligned to 64 bytes.
    memory = np.empty(106 * 30 + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    features = memory[start : start + 106 * 30].reshape(106, 30)
    features[:] = np.random.default_rng(0).normal(50, 20, features.shape)
    labels = features[:, :1] > 50
    before = features.copy()
    data = ExampleBatch(features, labels)
    path = Path(__file__).parents[2] / "bootstrap/demo/models/breast_cancer.h5"
    model = load(path, tmp_path, epochs=3)

    model.fit(ArrayDataset(data[:48]), ArrayDataset(data[48:]), lambda _: None)
    model.evaluate(ArrayDataset(data[48:]))
    model.confusion_matrix(ArrayDataset(data[48:]))

    np.testing.assert_array_equal(before, features)
