"""How variables replace parts of how a model is compiled."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras

from adapters.tensorflow import ModelSettings, TensorFlowSettings, TensorFlowTrainer
from bootstrap.settings import load as load_settings
from domain.errors import SettingsInvalid
from tests.models import ArrayDataset, examples, model_file
from tests.models.keras_3 import save


def settings(**variables: str) -> ModelSettings:
    environ = {f"STREAMFIT_{name.upper()}": text for name, text in variables.items()}
    return load_settings(ModelSettings, environ)


@pytest.fixture(params=["Keras 2", "Keras 3"])
def load(request, tmp_path):
    """Load one of the models, of either Keras, with variables."""

    def load(name, **variables):
        trainer = TensorFlowTrainer(
            TensorFlowSettings(32, kwargs_fit={"epochs": 2}),
            tmp_path,
            repeat=False,
            model_settings=settings(**variables),
        )
        if request.param == "Keras 3":
            return trainer.load(save(name, tmp_path / f"{name}.keras"))
        return trainer.load(model_file(name))

    return load


def metrics_of(model, name):
    return model.evaluate(ArrayDataset(examples(name)))


class TestCompiledModel:
    """Each variable replaces its own part of what a compiled model brings."""

    def test_learning_rate(self, load):
        """A rate replaces the optimizer's, ..."""
        model = load("digits", learning_rate="0.25").keras_model

        assert 0.25 == float(model.optimizer.learning_rate)
        assert "Adam" == type(model.optimizer).__name__

    def test_learning_rate_for_schedule(self, load):
        """... or its schedule; the model's losses and metrics are its own."""
        model = load("cnn", learning_rate="0.25")

        assert 0.25 == float(model.keras_model.optimizer.learning_rate)
        assert ["loss", "accuracy", "truth"] == list(metrics_of(model, "cnn"))

    def test_optimizer(self, load):
        """An optimizer comes with Keras's own rate."""
        model = load("digits", optimizer="rmsprop").keras_model

        assert "RMSprop" == type(model.optimizer).__name__
        assert 0.001 == pytest.approx(float(model.optimizer.learning_rate))

    def test_loss(self, load):
        """A loss is reckoned as Keras reckons it."""
        model = load("regression", loss="mean_absolute_error")
        data = examples("regression")
        outputs = model.keras_model.predict(data.features.astype("f4"), verbose=0)

        expected = np.abs(outputs - data.labels).mean()

        metrics = metrics_of(model, "regression")
        assert expected == pytest.approx(metrics["loss"], rel=1e-4)
        assert expected == pytest.approx(metrics["mae"], rel=1e-4)  # as before

    def test_metrics(self, load):
        """Metrics replace all that the model has."""
        model = load("regression", metrics="mse, mape")

        assert ["loss", "mse", "mape"] == list(metrics_of(model, "regression"))

    def test_every_output(self, load):
        """Loss and metrics are for every output."""
        model = load(
            "two_outputs", loss="sparse_categorical_crossentropy", metrics="accuracy"
        )

        metrics = metrics_of(model, "two_outputs")

        assert {"early_accuracy", "late_accuracy"} < set(metrics)
        regularization = metrics["loss"] - metrics["early_loss"] - metrics["late_loss"]
        assert 0 <= regularization + 1e-6 < 1  # the sum: weights of losses are gone

    @pytest.mark.parametrize(
        ("variable", "text"),
        [("optimizer", "adamm"), ("loss", "crossentropyy"), ("metrics", "acc,nope")],
    )
    def test_unknown(self, load, variable, text):
        """What Keras does not know is the variable's fault, not the model's."""
        with pytest.raises(SettingsInvalid) as error:
            load("digits", **{variable: text})

        unknown = text.rpartition(",")[2]
        assert f"STREAMFIT_{variable.upper()}: Keras knows no {unknown!r}" == str(
            error.value
        )


def test_state_goes_with_the_optimizer(tmp_path):
    """A new optimizer has seen no steps; the model's own has."""
    model = tf_keras.models.load_model(model_file("digits"))
    data = examples("digits")
    model.fit(data.features, data.labels, verbose=0)
    model.save(tmp_path / "trained.h5")
    steps = {}

    for name, variables in (
        ("own", {}),
        ("at another rate", {"learning_rate": "0.5"}),
        ("new", {"optimizer": "adam"}),
    ):
        trainer = TensorFlowTrainer(
            TensorFlowSettings(32),
            tmp_path,
            repeat=False,
            model_settings=settings(**variables),
        )
        loaded = trainer.load(tmp_path / "trained.h5")
        steps[name] = int(loaded.keras_model.optimizer.iterations)

    assert {"own": 3, "at another rate": 3, "new": 0} == steps


class TestVariables:
    def test_defaults(self):
        """Without variables the model's own word counts, and code is refused."""
        given = settings()

        assert not given.compiles
        assert 2 << 30 == given.streamfit_max_model_bytes
        assert not given.streamfit_allow_unsafe_models

    @pytest.mark.parametrize(
        ("text", "value"), [("1", True), ("true", True), ("0", False), ("False", False)]
    )
    def test_switch(self, text, value):
        """Yes and no may be written in two ways each."""
        assert value is settings(allow_unsafe_models=text).streamfit_allow_unsafe_models

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("optimizer", "adam(0.1)"),
            ("loss", "mse,mae"),
            ("metrics", "acc,,auc"),
            ("metrics", "__import__('os')"),
            ("learning_rate", "fast"),
            ("learning_rate", "0"),
            ("learning_rate", "-1"),
            ("learning_rate", "inf"),
            ("max_model_bytes", "0"),
            ("max_model_bytes", "big"),
            ("allow_unsafe_models", "yes please"),
        ],
    )
    def test_wrong(self, name, text):
        """A wrong one is named with its text."""
        with pytest.raises(SettingsInvalid) as error:
            settings(**{name: text})

        assert f"STREAMFIT_{name.upper()}: want " in str(error.value) or (
            "want at least 1, got 0" in str(error.value)
        )
