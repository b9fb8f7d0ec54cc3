"""Models of Keras 3, compared with Keras 3 itself."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from adapters.tensorflow import ModelSettings, TensorFlowSettings, TensorFlowTrainer
from domain.errors import ModelInvalid
from tests.models import ArrayDataset, examples
from tests.models.keras_3 import MODELS, save

CASES = [
    pair
    for pair in itertools.product(MODELS, [".keras", ".h5"])
    # Keras 3 cannot read what it writes there itself.
    if pair != ("operations", ".h5")
]


@pytest.fixture
def trainer(tmp_path: Path) -> TensorFlowTrainer:
    settings = TensorFlowSettings(32, kwargs_fit={"epochs": 3})
    return TensorFlowTrainer(settings, tmp_path, repeat=False)


@pytest.mark.parametrize(("name", "suffix"), CASES)
class TestModels:
    @pytest.fixture
    def path(self, tmp_path: Path, name: str, suffix: str) -> Path:
        # The content tells what a file is, not its name.
        saved = save(name, tmp_path / f"model{suffix}")
        return saved.rename(tmp_path / "model.bin")

    def test_training(self, trainer, path, name, suffix):
        """Losses and weights are those of Keras's own fit on the same arrays."""
        data, epochs = examples(name), []
        model = trainer.load(path)
        keras.utils.set_random_seed(1)
        reference = MODELS[name]()
        labels = [data.labels] * len(reference.outputs)

        model.fit(ArrayDataset(data), None, epochs.append)
        history = reference.fit(
            data.features,
            labels if len(labels) > 1 else data.labels,
            batch_size=32,
            epochs=3,
            shuffle=False,
            verbose=0,
        ).history

        assert set(history) == set(epochs[0].training)
        for metric, values in history.items():
            np.testing.assert_allclose(
                [epoch.training[metric] for epoch in epochs], values, rtol=1e-6
            )
        for own, weight in zip(
            model.keras_model.weights, reference.weights, strict=True
        ):
            np.testing.assert_allclose(own, weight, rtol=0, atol=1e-6)

    def test_saved(self, trainer, path, name, suffix):
        """What goes back is of the same kind, and Keras predicts the same from it."""
        data = examples(name)
        model = trainer.load(path)
        model.fit(ArrayDataset(data), None, lambda _: None)

        saved = model.save()

        assert suffix == saved.suffix
        expected = model.keras_model.predict(data.features, verbose=0)
        # Of HDF5, Keras 3 does not always understand how it was compiled.
        keras_model = keras.saving.load_model(saved, compile=suffix == ".keras")
        predicted = keras_model.predict(data.features, verbose=0)
        for own, other in zip(
            *(x if isinstance(x, list) else [x] for x in (expected, predicted)),
            strict=True,
        ):
            np.testing.assert_array_equal(own, other)
        trainer.inspect(saved)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_goes_on(trainer, tmp_path, suffix):
    """A model that was trained goes on with its optimizer's state, as in Keras."""
    data = examples("digits")
    keras.utils.set_random_seed(1)
    reference = MODELS["digits"]()
    fit = {"batch_size": 32, "epochs": 3, "shuffle": False, "verbose": 0}
    reference.fit(data.features, data.labels, **fit)
    reference.save(tmp_path / f"model{suffix}")
    reference.fit(data.features, data.labels, **fit)

    model = trainer.load(tmp_path / f"model{suffix}")
    model.fit(ArrayDataset(data), None, lambda _: None)

    for own, weight in zip(model.keras_model.weights, reference.weights, strict=True):
        np.testing.assert_allclose(own, weight, rtol=0, atol=1e-6)


def test_description_kept(trainer, tmp_path):
    """Only the weights in the archive change: other versions of Keras 3 read it too."""
    path = save("cnn", tmp_path / "model.keras")
    model = trainer.load(path)
    model.fit(ArrayDataset(examples("cnn")), None, lambda _: None)

    with zipfile.ZipFile(path) as old, zipfile.ZipFile(model.save()) as new:
        assert old.namelist() == new.namelist()
        changed = {n for n in old.namelist() if old.read(n) != new.read(n)}

    assert {"model.weights.h5"} == changed


def test_ordered_otherwise(trainer, tmp_path):
    """Should Keras have ordered the weights otherwise then, all is written anew."""
    path = save("digits", tmp_path / "model.keras")
    model = trainer.load(path)
    weights = tmp_path / "model.weights.h5"
    with h5py.File(weights, "w") as file:
        file["elsewhere"] = np.zeros((2, 2))
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(path.with_name("m"), "w") as new:
        for name in ("metadata.json", "config.json"):
            new.writestr(name, old.read(name))
        new.write(weights, "model.weights.h5")
    path.with_name("m").replace(path)

    saved = keras.saving.load_model(model.save())

    x = examples("digits").features
    np.testing.assert_array_equal(
        model.keras_model.predict(x, verbose=0), saved.predict(x, verbose=0)
    )


class TestUncompiled:
    @pytest.fixture(params=[".keras", ".h5"])
    def path(self, request, tmp_path) -> Path:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
        model.save(tmp_path / f"model{request.param}")
        return tmp_path / f"model{request.param}"

    def test_refused(self, trainer, path):
        """Nobody said how to train: the message says how to say it."""
        with pytest.raises(ModelInvalid, match="or set STREAMFIT_OPTIMIZER and"):
            trainer.inspect(path)

    def test_compiled_by_variables(self, path, tmp_path):
        """The variables say it; the file stays uncompiled."""
        settings = ModelSettings(
            streamfit_optimizer="sgd",
            streamfit_loss="mse",
            streamfit_metrics="mae",
            streamfit_learning_rate="0.125",
        )
        trainer = TensorFlowTrainer(
            TensorFlowSettings(32), tmp_path, repeat=False, model_settings=settings
        )
        epochs = []
        trainer.inspect(path)
        model = trainer.load(path)

        model.fit(ArrayDataset(examples("regression")), None, epochs.append)

        assert ["loss", "mae"] == list(epochs[0].training)
        assert isinstance(model.keras_model.optimizer, keras.optimizers.SGD)
        assert 0.125 == float(model.keras_model.optimizer.learning_rate)
        assert not keras.saving.load_model(model.save()).compiled
