"""Models in HDF5, as Keras 2 and Keras 3 write them (``.h5``)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from attrs import frozen

from adapters.tensorflow.files import hdf5
from adapters.tensorflow.files.compiling import (
    compile_model,
    keeps_optimizer,
    require_compiled,
)
from adapters.tensorflow.files.configuration import refuse_code
from adapters.tensorflow.files.engines import engine, engine_name, loading
from adapters.tensorflow.files.format import (
    Description,
    Engine,
    LoadedModel,
    SubModelFile,
)
from adapters.tensorflow.files.layers import counted_by_name, described
from adapters.tensorflow.files.outline import outline
from adapters.tensorflow.files.precision import with_precision
from adapters.tensorflow.model_settings import ModelSettings
from domain.errors import ModelInvalid
from domain.events import Layer


@frozen
class KerasHdf5(SubModelFile):
    """
    A model in HDF5.

    Attributes:
        path: The file.

        settings: What it may hold.
    """

    path: Path
    settings: ModelSettings

    def inspect(self) -> str:
        """Look into the file; see the protocol."""
        described = self.describe()
        require_compiled(described.training, self.settings)
        return described.outline

    def layers(self) -> tuple[Layer, ...]:
        """Name the layers; see the protocol."""
        layers = described(self.describe().model)
        with hdf5.opened(self.path, self.settings.streamfit_max_model_bytes) as file:
            return counted_by_name(layers, hdf5.shapes(file), "model_weights")

    def load(self) -> LoadedModel:
        """Inspect the file and load it afresh; see the protocol."""
        described = self.describe()
        require_compiled(described.training, self.settings)
        keras = engine(described.engine)
        own_optimizer = keeps_optimizer(described.training, self.settings)
        with loading(self.settings.streamfit_max_model_bytes):
            model = self._read(keras, own_optimizer=own_optimizer)
            # Metrics wait for the labels.
            compile_model(model, keras, described.training, self.settings)
            if described.engine == "keras":
                with h5py.File(self.path) as file:
                    state = hdf5.optimizer_state(file)
                _restore(model.optimizer, model.trainable_variables, state)
        return LoadedModel(model, keras)

    def load_uncompiled(self) -> LoadedModel:
        """Look into the file and load it afresh; see the protocol."""
        keras = engine(self.describe().engine)
        with loading(self.settings.streamfit_max_model_bytes):
            model = self._read(keras, own_optimizer=False)
        return LoadedModel(model, keras)

    def save(self, keras_model: Any, folder: Path) -> Path:
        """Write a copy of the file with the weights of *keras_model*."""
        path = folder / "trained_model.h5"
        hdf5.graft(self.path, _weights(keras_model), path)
        return path

    def describe(self) -> Description:
        """Look into the file, compiled or not; see the protocol."""
        with hdf5.opened(self.path, self.settings.streamfit_max_model_bytes) as file:
            model = hdf5.json_attribute(file, "model_config")
            if model is None:
                raise ModelInvalid("the HDF5 file holds no model (no model_config)")
            name = engine_name(hdf5.text_attribute(file, "keras_version"))
            training = hdf5.json_attribute(file, "training_config") or None
            if not self.settings.streamfit_allow_unsafe_models:
                refuse_code(model, training)
            told = outline(name, model, training)
            return Description(told, name, model, training)

    def _read(self, keras: Engine, *, own_optimizer: bool) -> Any:
        """Let Keras read the model, which is to get back into this file."""
        if keras.__name__ == "keras":
            model = self._read_3(keras)
        else:
            # Given an open file, Keras looks for no other format in it.
            with h5py.File(self.path) as file:
                model = keras.models.load_model(file, compile=own_optimizer)
        model = with_precision(model, keras, self.settings)
        hdf5.require_places(self.path, _weights(model))
        return model

    def _read_3(self, keras: Engine) -> Any:
        # The name's end tells Keras 3 what a file is.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.h5")
            path.symlink_to(self.path.absolute())
            # Compiled by Keras, the optimizer would hold on to variables of its own.
            return keras.saving.load_model(
                path,
                compile=False,
                safe_mode=not self.settings.streamfit_allow_unsafe_models,
            )


def _restore(optimizer: Any, variables: Any, state: list[np.ndarray]) -> None:
    """Give Keras 3's *optimizer* the *state* of the file, if it is one of its own."""
    optimizer.build(variables)
    own = optimizer.variables
    if [tuple(v.shape) for v in own] == [value.shape for value in state]:
        for variable, value in zip(own, state, strict=True):
            variable.assign(value)


def _weights(keras_model: Any) -> list[hdf5.Weights]:
    """Return the weights of every layer that has some, in the order of files."""
    return [
        [np.asarray(weight) for weight in weights]
        for layer in keras_model.layers
        # It differs from that of `layer.weights`.
        if (weights := layer.trainable_weights + layer.non_trainable_weights)
    ]
