"""What tells models apart before they are trained."""

from __future__ import annotations

import keras
import pytest
import tf_keras

from adapters.tensorflow import ModelSettings
from adapters.tensorflow.files import model_file
from tests import models


def network(engine, units=4, loss="mse"):
    """Return a model as user code makes it: with new weights and new names."""
    model = engine.Sequential(
        [
            engine.layers.Dense(units, activation="relu", input_shape=(3,)),
            engine.layers.Dropout(0.5),
            engine.layers.Dense(1),
        ]
    )
    model.compile("adam", loss)
    return model


def outline(model, path):
    model.save(path)
    return model_file(path, ModelSettings()).inspect()


@pytest.fixture(params=["2 h5", "2 keras", "2 folder", "3 h5", "3 keras"])
def kind(request):
    return request.param


@pytest.fixture
def outline_of(kind, tmp_path):
    engine = tf_keras if kind.startswith("2") else keras
    end = {"h5": ".h5", "keras": ".keras", "folder": ""}[kind[2:]]

    def make(name, **options):
        return outline(network(engine, **options), tmp_path / f"{name}{end}")

    return make


def test_made_again(outline_of):
    """The same code makes the same model, whatever it is called and starts with."""
    assert outline_of("one") == outline_of("two")


@pytest.mark.parametrize("other", [{"units": 5}, {"loss": "mae"}])
def test_others(outline_of, other):
    """Another layer or loss is another model."""
    assert outline_of("one") != outline_of("other", **other)


def test_numbered_otherwise():
    """Numbers in the middle of a name are left out, too, and no others."""
    digits = model_file(models.model_file("digits"), ModelSettings()).inspect()
    cnn = model_file(models.model_file("cnn"), ModelSettings()).inspect()

    assert digits != cnn
