"""What a model's file tells of its layers, for people."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras

from adapters.tensorflow import ChainSettings, ModelSettings
from adapters.tensorflow.files import model_file
from adapters.tensorflow.files.layers import described
from adapters.tensorflow.inspection import inspect
from domain.events import Layer, ModelInspected
from tests import models


def network(engine):
    inputs = engine.Input((5, 5, 1))
    hidden = engine.layers.Conv2D(3, 2, name="look")(inputs)
    hidden = engine.layers.Flatten()(hidden)
    hidden = engine.layers.Dense(4, name="first")(hidden)
    hidden = engine.layers.BatchNormalization()(hidden)
    model = engine.Model(inputs, engine.layers.Dense(2, name="second")(hidden))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("engine", "end"),
    [(keras, ".h5"), (keras, ".keras"), (tf_keras, ".h5"), (tf_keras, ".keras")],
)
def test_counts(engine, end, tmp_path):
    """Names, kinds and numbers of weights are those that Keras itself tells."""
    model = network(engine)
    path = tmp_path / f"model{end}"
    model.save(path)

    layers = model_file(path, ModelSettings()).layers()

    assert [
        (one.name, type(one).__name__, one.count_params()) for one in model.layers
    ] == [(one.name, one.kind, one.parameters) for one in layers]
    assert (None, 5, 5, 1) == layers[0].shape


def test_saved_model(tmp_path):
    """Of a SavedModel the layers are told, and not how large they are."""
    network(tf_keras).save(tmp_path / "model")

    layers = model_file(tmp_path / "model", ModelSettings()).layers()

    assert {"look", "first", "second"} < {one.name for one in layers}
    assert {None} == {one.parameters for one in layers}


def test_trained_model_has_others(tmp_path):
    """The optimizer's state is none of the layers'."""
    model = network(keras)
    model.fit(np.ones((1, 5, 5, 1)), np.ones((1, 2)), verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)

    layers = model_file(path, ModelSettings()).layers()

    assert model.count_params() == sum(one.parameters for one in layers)


def test_chain(tmp_path):
    """Each layer of a chain says which sub-model it is of."""
    for number in (1, 2, 3):
        source = models.model_file(f"chain_{number}")
        (tmp_path / f"{number}.h5").write_bytes(source.read_bytes())
    settings = ChainSettings("adam", "sparse_categorical_crossentropy", 1.0)

    layers = model_file(tmp_path, ModelSettings(), settings).layers()

    assert 3 == len({one.part for one in layers})


def test_told():
    """Whoever looks into a file in a process of its own hears of the layers."""
    heard = []

    inspect(models.model_file("digits"), ModelSettings(), on_event=heard.append)

    assert [
        ModelInspected(
            (
                Layer("input_1", "InputLayer", (None, 8, 8), 0),
                Layer("flatten", "Flatten", (), 0),
                Layer("dense", "Dense", (), 1040),
                Layer("dense_1", "Dense", (), 170),
            )
        )
    ] == heard


@pytest.mark.parametrize(
    "model",
    [
        None,
        {},
        {"config": None},
        {"config": {"layers": None}},
        {"config": {"layers": [None, 3]}},
    ],
)
def test_nothing_told(model):
    """A description of another kind has no layers."""
    assert () == described(model)


def test_odd_layers():
    """What is no shape is left out, and so is what is no name."""
    model = {"config": [{"class_name": 3, "config": {"batch_shape": ["x"]}}]}

    assert (Layer("", "3"),) == described(model)
