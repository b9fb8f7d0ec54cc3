"""What may be asked of a training beyond the original, and what is said of it."""

from __future__ import annotations

import random
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from sklearn.utils.class_weight import compute_class_weight

from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer, machine
from adapters.tensorflow.class_weights import balanced
from adapters.tensorflow.files.format import LoadedModel
from adapters.tensorflow.model import TensorFlowModel
from domain.batches import ExampleBatch
from domain.errors import SettingsInvalid, TrainingFailed
from domain.report import ConfusionMatrix
from tests.models import ArrayDataset, examples, model_file

BATCH = 16


@pytest.fixture(params=[tf_keras, keras], ids=["Keras 2", "Keras 3"])
def engine(request):
    return request.param


def network(engine, rate=0.05, **compiling):
    """Return a small classifier, with weights that are always the same."""
    engine.utils.set_random_seed(3)
    layers = engine.layers
    model = engine.Sequential(
        [
            engine.Input((4,)),
            layers.Dense(30, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    options = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(engine.optimizers.Adam(rate), **{**options, **compiling})
    return model


def wrapped(model, engine, epochs=1, **settings):
    return TensorFlowModel(
        LoadedModel(model, engine),
        None,  # its file: nothing is saved here
        TensorFlowSettings(
            BATCH, {"epochs": epochs, **settings.pop("fit", {})}, **settings
        ),
        Path(),
        repeat=False,
    )


def data(rows, seed=0):
    """Return noise, which a model learns by heart: its validation soon gets worse."""
    made = np.random.default_rng(seed)
    features = made.normal(size=(rows, 4)).astype(np.float32)
    return features, made.choice(3, rows, p=[0.6, 0.3, 0.1]).astype(np.uint8)


def dataset(features, labels):
    return ArrayDataset(ExampleBatch(features, labels))


def fit(model, training, validation=None):
    epochs = []
    model.fit(dataset(*training), validation and dataset(*validation), epochs.append)
    return epochs


def assert_same_weights(expected, model):
    for weight, ours in zip(expected.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, ours)


class TestEarlyStopping:
    @pytest.mark.parametrize("patience", [1, 3])
    @pytest.mark.parametrize(("best", "validated"), [(False, False), (True, True)])
    def test_as_keras_does(self, engine, patience, best, validated):
        """Training ends with the epoch, and the weights, with which Keras's would."""
        train = data(64)
        validation = data(64, seed=1) if validated else None
        expected, model = network(engine, 0.3), network(engine, 0.3)
        stop = engine.callbacks.EarlyStopping(
            "val_loss" if validated else "loss",
            patience=patience,
            restore_best_weights=best,
        )
        plain = expected.fit(
            *train,
            validation_data=validation,
            batch_size=BATCH,
            epochs=30,
            shuffle=False,
            verbose=0,
            callbacks=[stop],
        ).history

        ours = wrapped(
            model,
            engine,
            epochs=30,
            streamfit_early_stopping=patience,
            streamfit_checkpoint_best=best,
        )
        epochs = fit(ours, train, validation)

        assert plain["loss"] == [epoch.training["loss"] for epoch in epochs]
        assert len(epochs) < 30
        assert_same_weights(expected, model)

    def test_best_epoch_without_stopping(self, engine):
        """The best weights may be asked for by themselves: all epochs are trained."""
        train, validation = data(64), data(64, seed=1)
        model = network(engine)
        ours = wrapped(model, engine, epochs=8, streamfit_checkpoint_best=True)

        epochs = fit(ours, train, validation)

        losses = [epoch.validation["loss"] for epoch in epochs]
        assert 8 == len(losses)
        assert min(losses) < losses[-1]
        evaluated = ours.evaluate(dataset(*validation))
        assert min(losses) == pytest.approx(evaluated["loss"], rel=1e-6)

    def test_says_so(self, caplog):
        """The log names the last epoch and the best one."""
        caplog.set_level("INFO")
        ours = wrapped(
            network(tf_keras, 0.3), tf_keras, epochs=30, streamfit_early_stopping=2
        )

        epochs = fit(ours, data(64), data(64, seed=1))

        (said,) = [r for r in caplog.records if "ends early" in r.message]
        assert len(epochs) == said.epoch == said.best_epoch + 2
        assert "val_loss" == said.watched


class TestClassWeights:
    @pytest.mark.parametrize(
        "shape",
        [lambda y: y, lambda y: y[:, None], lambda y: np.eye(3)[y]],
        ids=["numbers", "column", "one-hot"],
    )
    def test_as_scikit_learn_does(self, shape):
        """The weights are those of scikit-learn's ``balanced``."""
        features, labels = data(20_000)

        weights = balanced(dataset(features, shape(labels)))

        expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
        assert dict(enumerate(expected)) == pytest.approx(weights)

    def test_as_keras_does(self, engine):
        """They count as those given to `fit` would."""
        features, labels = data(70)
        expected, model = network(engine), network(engine)
        weights = compute_class_weight("balanced", classes=np.arange(3), y=labels)
        plain = expected.fit(
            features,
            labels,
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
            class_weight=dict(enumerate(weights)),
        ).history

        ours = wrapped(model, engine, streamfit_class_weights="balanced")
        (epoch,) = fit(ours, (features, labels))

        assert plain == {name: [value] for name, value in epoch.training.items()}
        assert_same_weights(expected, model)

    def test_class_that_does_not_occur(self):
        """Keras wants a number for every class up to the highest."""
        weights = balanced(dataset(np.zeros((4, 1)), np.array([0, 0, 0, 2])))

        assert {0: 4 / 6, 1: 1.0, 2: 2.0} == pytest.approx(weights)

    def test_no_classes(self):
        """Labels with fractions have no classes, and the variable is named."""
        with pytest.raises(TrainingFailed, match=r"^STREAMFIT_CLASS_WEIGHTS: the lab"):
            balanced(dataset(np.zeros((2, 1)), np.array([0.5, 1])))

    def test_several_outputs(self, tmp_path):
        """Keras has no class weights for several outputs."""
        settings = TensorFlowSettings(BATCH, streamfit_class_weights="balanced")
        trainer = TensorFlowTrainer(settings, tmp_path, repeat=False)
        model = trainer.load(model_file("two_outputs"))

        with pytest.raises(SettingsInvalid, match="not for a model of several outputs"):
            model.fit(ArrayDataset(examples("two_outputs")), None, lambda _: None)


class TestSeed:
    def test_as_keras_does(self, engine, tmp_path):
        """Random layers draw what they draw in plain Keras with the same seed."""
        path = tmp_path / ("model.h5" if engine is tf_keras else "model.keras")
        layers = engine.layers
        made = engine.Sequential(
            [engine.Input((4,)), layers.Dropout(0.5), layers.Dense(1)]
        )
        made.compile("sgd", "mse")
        made.save(path, **({"save_format": "h5"} if engine is tf_keras else {}))
        features, labels = data(64)
        settings = TensorFlowSettings(BATCH, streamfit_seed="42")
        trainer = TensorFlowTrainer(settings, tmp_path, repeat=False)

        random.seed(0)
        tf.random.set_seed(0)
        first = trainer.load(path)
        fit(first, (features, labels))
        second = trainer.load(path)
        fit(second, (features, labels))

        engine.utils.set_random_seed(42)
        plain = engine.models.load_model(path)
        plain.fit(features, labels, batch_size=BATCH, shuffle=False, verbose=0)
        assert_same_weights(plain, first.keras_model)
        assert_same_weights(plain, second.keras_model)


class TestJit:
    @pytest.mark.parametrize("jit", [True, False])
    def test_as_asked_for(self, engine, jit):
        """XLA compiles, or does not, and gives the same numbers but for rounding."""
        train = data(64)
        expected = network(engine, jit_compile=jit)
        model = network(engine, jit_compile=not jit)
        expected.fit(*train, batch_size=BATCH, shuffle=False, verbose=0)

        ours = wrapped(model, engine, streamfit_jit=jit)
        fit(ours, train)
        ours.evaluate(dataset(*train))

        assert model.jit_compile is jit
        for weight, trained in zip(
            expected.get_weights(), model.get_weights(), strict=True
        ):
            np.testing.assert_allclose(weight, trained, atol=1e-5)

    def test_by_default(self, engine):
        """Nothing is changed."""
        model = network(engine)
        before = model.jit_compile

        fit(wrapped(model, engine), data(32))

        assert before is model.jit_compile


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="has a GPU")
class TestRequireGpu:
    @pytest.fixture
    def trainer(self, tmp_path):
        settings = TensorFlowSettings(BATCH, streamfit_require_gpu="1")
        return TensorFlowTrainer(settings, tmp_path, repeat=False)

    @pytest.mark.parametrize("method", ["inspect", "load"])
    def test_none(self, trainer, method):
        """Before there is anything to train on, and again before training."""
        with pytest.raises(SettingsInvalid, match=r"^STREAMFIT_REQUIRE_GPU: "):
            getattr(trainer, method)(model_file("digits"))


class TestWarnings:
    def test_diverging_loss(self, engine, caplog):
        """A loss that is no number any more is named once, with its epoch."""
        features, labels = data(64)
        features[40] = np.inf

        epochs = fit(wrapped(network(engine), engine, epochs=3), (features, labels))

        (said,) = [r for r in caplog.records if "training diverges" in r.message]
        assert (1, ["loss"]) == (said.epoch, said.metrics)
        assert 3 == len(epochs)

    def test_labels_alike(self, engine, caplog):
        """A part of one class only is trained on, and the log says so once."""
        features, labels = data(64)

        fit(wrapped(network(engine), engine, epochs=2), (features, labels * 0))

        assert ["the labels are all alike: there is nothing to learn"] == [
            r.message for r in caplog.records if r.name.startswith("adapters")
        ]

    def test_nothing_to_say(self, engine, caplog):
        """Usual data are no matter for warnings."""
        fit(wrapped(network(engine), engine), data(64), data(64, seed=1))

        assert [] == [r for r in caplog.records if r.name.startswith("adapters")]


class TestArguments:
    def test_of_keras_2_alone(self, engine):
        """Arguments that Keras 3 gave up are taken from old senders all the same."""
        options = {"workers": 2, "use_multiprocessing": True, "max_queue_size": 5}
        model = wrapped(network(engine), engine, fit=options, kwargs_val=options)

        epochs = fit(model, data(64), data(64, seed=1))

        assert 1 == len(epochs)
        assert {"loss", "accuracy"} == set(model.evaluate(dataset(*data(64))))


def test_confusion_matrix_of_logits(engine):
    """One unit without sigmoid says yes above 0, if the loss takes it so."""
    engine.utils.set_random_seed(3)
    model = engine.Sequential([engine.Input((4,)), engine.layers.Dense(1)])
    model.compile("adam", engine.losses.BinaryCrossentropy(from_logits=True))
    features, labels = data(64)
    labels = labels > 0
    scores = model.predict(features, verbose=0)[:, 0]

    matrix = wrapped(model, engine).confusion_matrix(dataset(features, labels))

    table = tuple(
        tuple(int(np.sum((labels == true) & ((scores > 0) == said))) for said in (0, 1))
        for true in (0, 1)
    )
    assert ConfusionMatrix((0, 1), table) == matrix


def test_gpu_that_does_not_start(monkeypatch):
    """A driver that hangs is not waited for."""
    monkeypatch.setattr(machine, "_PATIENCE", 0.01)

    with pytest.raises(SettingsInvalid, match=r"did not start in 0\.01 seconds"):
        machine.look_for_gpu()
