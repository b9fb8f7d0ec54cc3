"""The same numbers, to the last bit, as plain Keras gives, 2 or 3."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from adapters.spool import DiskSpool, MemorySpool
from adapters.tensorflow.files.format import LoadedModel
from adapters.tensorflow.model import TensorFlowModel
from adapters.tensorflow.pipeline import Pipeline
from adapters.tensorflow.settings import TensorFlowSettings
from domain.batches import ExampleBatch
from domain.report import ConfusionMatrix
from domain.selection import Selection
from tests.models import ArrayDataset

BATCH = 16
EPOCHS = 3


@pytest.fixture(params=[tf_keras, keras], ids=["Keras 2", "Keras 3"])
def engine(request):
    return request.param


def data(rows=330, seed=0):
    """Return features of shape (8,), and one of three classes for each."""
    features = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    return features, (features[:, 0] > 0).astype(np.uint8) + (features[:, 1] > 0)


def classifier(engine, *layers, outputs=3, activation="softmax"):
    return engine.Sequential(
        [
            engine.Input((8,)),
            *layers,
            engine.layers.Dense(outputs, activation=activation),
        ]
    )


def dense(engine):
    return classifier(engine, engine.layers.Dense(9, activation="relu"))


def random(engine):
    layers = engine.layers
    return classifier(
        engine, layers.Dense(9), layers.BatchNormalization(), layers.Dropout(0.3)
    )


def seeded(engine):
    return classifier(engine, engine.layers.GaussianNoise(0.3, seed=4))


def recurrent(engine):
    layers = engine.layers
    return classifier(engine, layers.Reshape((4, 2)), layers.LSTM(5, dropout=0.2))


def compiled(make, engine, loss="sparse_categorical_crossentropy", metrics="accuracy"):
    """Return the model, with weights that are always the same."""
    engine.utils.set_random_seed(3)
    model = make(engine)
    model.compile("adam", loss, metrics=[metrics] if metrics else None)
    return model


def ours(model, engine, *, repeat=False, **settings):
    settings = {"kwargs_fit": {"epochs": EPOCHS}, **settings}
    return TensorFlowModel(
        LoadedModel(model, engine),
        None,  # its file: nothing is saved here
        TensorFlowSettings(BATCH, **settings),
        Path(),
        repeat,
    )


def dataset(features, labels):
    return ArrayDataset(ExampleBatch(features, labels))


def trained(model, training, validation=None):
    """Train, and return the history as Keras does."""
    epochs = []
    model.fit(training, validation, epochs.append)
    names = [*epochs[0].training, *(f"val_{n}" for n in epochs[0].validation)]
    rows = [
        {**e.training, **{f"val_{n}": v for n, v in e.validation.items()}}
        for e in epochs
    ]
    return {name: [row[name] for row in rows] for name in names}


def plainly(model, features, labels, validation=None, **options):
    return model.fit(
        features,
        labels,
        validation_data=validation,
        batch_size=BATCH,
        **{"epochs": EPOCHS, "shuffle": False, "verbose": 0, **options},
    ).history


def assert_same_weights(expected, model):
    for weight, trained in zip(
        expected.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, trained)


class TestBlocks:
    """21 steps an epoch, in blocks of any length."""

    @pytest.mark.parametrize(
        ("engine", "make", "steps"),
        [
            (engine, make, steps)
            for engine in (tf_keras, keras)
            for make in (dense, random, seeded, recurrent)
            for steps in (None, 4)
            # In blocks it would draw other numbers, so that none is chosen.
            if (engine, make, steps) != (tf_keras, seeded, 4)
        ],
    )
    def test_as_arrays_in_plain_keras(self, engine, make, steps):
        """History, evaluation and weights equal those of `fit(x, y, shuffle=False)`."""
        train, validation = data(), data(100, seed=1)
        expected, model = compiled(make, engine), compiled(make, engine)
        wrapped = ours(model, engine, streamfit_steps_per_execution=steps)

        engine.utils.set_random_seed(4)
        history = plainly(expected, *train, validation)
        evaluated = expected.evaluate(
            *validation, batch_size=BATCH, return_dict=True, verbose=0
        )
        engine.utils.set_random_seed(4)

        assert history == trained(wrapped, dataset(*train), dataset(*validation))
        assert_same_weights(expected, model)
        assert evaluated == wrapped.evaluate(dataset(*validation))

    def test_fewer_steps_than_a_pass(self, engine):
        """`steps_per_epoch` goes through the data part by part, whatever the block."""
        train = data()
        options = {"epochs": 3, "steps_per_epoch": 9}
        models = [compiled(dense, engine) for _ in range(2)]

        one, many = (
            trained(
                ours(
                    model,
                    engine,
                    kwargs_fit=options,
                    streamfit_steps_per_execution=steps,
                ),
                dataset(*train),
            )
            for model, steps in zip(models, (1, 64), strict=True)
        )

        assert one == many
        assert 3 == len(one["loss"])
        assert_same_weights(*models)

    @pytest.mark.parametrize("steps", [5, 21, 30])
    def test_repeated_data(self, engine, steps):
        """Nor does the block matter where data start over, as in 2020's dialect."""
        train = data()
        options = {"epochs": 3, "steps_per_epoch": steps}
        models = [compiled(dense, engine) for _ in range(2)]

        one, many = (
            trained(
                ours(
                    model,
                    engine,
                    repeat=True,
                    kwargs_fit=options,
                    streamfit_steps_per_execution=block,
                ),
                dataset(*train),
            )
            for model, block in zip(models, (1, 64), strict=True)
        )

        assert one == many
        assert [3 * steps] * 2 == [int(m.optimizer.iterations) for m in models]
        assert_same_weights(*models)

    @pytest.mark.parametrize("rows", [10, 64])
    def test_evaluation_after_a_single_step(self, engine, rows):
        """A function made for one step is not used for many."""
        train, test = data(rows), data(100, seed=1)
        model = compiled(dense, engine)
        wrapped = ours(model, engine, kwargs_fit={"steps_per_epoch": 1})
        wrapped.fit(dataset(*train), dataset(*test), lambda _: None)

        evaluated = model.evaluate(*test, batch_size=100, return_dict=True, verbose=0)

        assert evaluated == pytest.approx(wrapped.evaluate(dataset(*test)), rel=1e-5)


class TestSpool:
    @pytest.mark.parametrize("kind", [MemorySpool, DiskSpool])
    def test_in_an_order(self, engine, kind, tmp_path):
        """Examples in another order train as arrays in that order do."""
        features, labels = data()
        orders = [np.random.default_rng(n).permutation(330) for n in range(EPOCHS)]
        spool = kind(330, tmp_path) if kind is DiskSpool else kind(330)
        expected, model = compiled(dense, engine), compiled(dense, engine)

        with closing(spool):
            spool.append(ExampleBatch(features, labels))
            selection = Selection(
                spool, np.arange(330), lambda rows, epoch: rows[orders[epoch]]
            )
            history = trained(ours(model, engine), selection)

        for epoch, order in enumerate(orders):
            plain = plainly(
                expected,
                features[order],
                labels[order],
                initial_epoch=epoch,
                epochs=epoch + 1,
            )
            assert {name: values[epoch] for name, values in history.items()} == {
                name: value for name, (value,) in plain.items()
            }
        assert_same_weights(expected, model)


class TestExamples:
    """Whatever the shape of labels and inputs, Keras's own numbers."""

    @pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
    @pytest.mark.parametrize("metric", ["accuracy", "acc", None])
    def test_label_shapes(self, engine, shape, metric):
        """Labels are (n,) or (n, 1), with metrics or none."""
        features, labels = data()
        labels = labels.reshape(shape)
        expected = compiled(dense, engine, metrics=metric)
        model = compiled(dense, engine, metrics=metric)

        history = trained(ours(model, engine), dataset(features, labels))

        assert plainly(expected, features, labels) == history
        assert ["loss", metric][: 2 if metric else 1] == list(history)

    @pytest.mark.parametrize(
        ("outputs", "activation", "loss", "label"),
        [
            (1, "sigmoid", "binary_crossentropy", lambda y: y > 0),
            (1, "sigmoid", "binary_crossentropy", lambda y: (y > 0)[:, None]),
            (3, "softmax", "categorical_crossentropy", lambda y: np.eye(3)[y]),
            (1, None, "mse", lambda y: y.astype(np.float64) / 3),
            (1, None, "mse", lambda y: y.astype(np.int16)[:, None]),
        ],
        ids=["yes or no", "column", "one-hot", "regression", "whole numbers"],
    )
    def test_kinds(self, engine, outputs, activation, loss, label):
        """One sigmoid unit, one-hot labels, regression."""
        features, classes = data()
        labels = label(classes)

        def make(engine):
            return classifier(engine, outputs=outputs, activation=activation)

        expected, model = (compiled(make, engine, loss) for _ in range(2))

        history = trained(ours(model, engine), dataset(features, labels))

        assert plainly(expected, features, labels) == history
        assert_same_weights(expected, model)

    def test_missing_last_axis(self, engine):
        """An image without colours suits a model that wants one."""
        features, labels = data()
        images = features.reshape(-1, 4, 2)

        def make(engine):
            layers = engine.layers
            return engine.Sequential(
                [
                    engine.Input((4, 2, 1)),
                    layers.Conv2D(3, 2),
                    layers.Flatten(),
                    layers.Dense(3, activation="softmax"),
                ]
            )

        expected, model = compiled(make, engine), compiled(make, engine)
        wrapped = ours(model, engine)

        history = trained(wrapped, dataset(images, labels))

        assert plainly(expected, images[..., None], labels) == history
        assert_same_weights(expected, model)
        matrix = wrapped.confusion_matrix(dataset(images, labels))
        assert 330 == sum(map(sum, matrix.counts))

    @pytest.mark.parametrize("dtype", ["u1", "i8", "?", "f2"])
    def test_input_types(self, engine, dtype):
        """Integers, bools and floats of any width."""
        features, labels = data()
        features = (features * 9).astype(dtype)
        expected, model = compiled(dense, engine), compiled(dense, engine)

        history = trained(ours(model, engine), dataset(features, labels))

        assert plainly(expected, features, labels) == history
        assert_same_weights(expected, model)

    def test_several_outputs(self, engine):
        """The one label goes to every output; names and order are those of Keras 2."""
        features, labels = data()

        def make(engine):
            inputs = engine.Input((8,))
            outputs = [
                engine.layers.Dense(3, activation="softmax", name=name)(inputs)
                for name in ("second", "first")
            ]
            model = engine.Model(inputs, outputs)
            model.compile(
                "adam",
                ["sparse_categorical_crossentropy"] * 2,
                metrics=[["sparse_categorical_crossentropy"], ["accuracy"]],
                loss_weights=[0.25, 1.0],
            )
            return model

        models = []
        for _ in range(2):
            engine.utils.set_random_seed(3)
            models.append(make(engine))

        history = trained(ours(models[1], engine), dataset(features, labels))

        assert plainly(models[0], features, [labels, labels]) == history
        assert_same_weights(*models)
        assert [
            "loss",
            "second_loss",
            "first_loss",
            "second_sparse_categorical_crossentropy",
            "first_accuracy",
        ] == list(history)


@pytest.mark.parametrize("shape", [(8,), (4, 2), (4, 2, 1)])
@pytest.mark.parametrize("label", [(), (1,), (3,)])
def test_static_shapes(shape, label):
    """TensorFlow knows as much of a batch as it does of arrays."""
    features, labels = np.zeros((40, *shape), np.uint8), np.zeros((40, *label), bool)

    expected = tf.data.Dataset.from_tensor_slices((features, labels)).batch(BATCH)

    ours = Pipeline(BATCH).feed(dataset(features, labels))
    assert expected.element_spec == ours.element_spec
    assert expected.cardinality() == ours.cardinality()


class TestConfusionMatrix:
    def test_of_classes(self, engine):
        """The table counts what the model predicts."""
        features, labels = data()
        model = compiled(dense, engine)
        wrapped = ours(model, engine)
        wrapped.fit(dataset(features, labels), None, lambda _: None)
        predicted = model.predict(features, verbose=0).argmax(axis=1)

        matrix = wrapped.confusion_matrix(dataset(features, labels))

        table = np.zeros((3, 3), int)
        np.add.at(table, (labels, predicted), 1)
        assert ConfusionMatrix((0, 1, 2), tuple(map(tuple, table.tolist()))) == matrix
