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
from adapters.tensorflow.files.format import LoadedModel, ModelFile
from adapters.tensorflow.files.outline import outline
from adapters.tensorflow.files.precision import with_precision
from adapters.tensorflow.model_settings import ModelSettings
from domain.errors import ModelInvalid


@frozen
class _Descriptions:
    """
    What a file says of its model.

    Attributes:
        outline: Digest of all of it.

        engine: Name of the Keras that it is for.

        training: How the model was compiled; None if it was not.
    """

    outline: str
    engine: str
    training: dict[str, Any] | None


@frozen
class KerasHdf5(ModelFile):
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
        return self._described().outline

    def load(self) -> LoadedModel:
        """Inspect the file and load it afresh; see the protocol."""
        described = self._described()
        keras = engine(described.engine)
        with loading(self.settings.streamfit_max_model_bytes):
            if described.engine == "keras":
                model = self._load_3(keras, described)
            else:
                model = self._load_2(keras, described)
            hdf5.require_places(self.path, _weights(model))
        return LoadedModel(model, keras)

    def save(self, keras_model: Any, folder: Path) -> Path:
        """Write a copy of the file with the weights of *keras_model*."""
        path = folder / "trained_model.h5"
        hdf5.graft(self.path, _weights(keras_model), path)
        return path

    def _described(self) -> _Descriptions:
        with hdf5.opened(self.path, self.settings.streamfit_max_model_bytes) as file:
            model = hdf5.json_attribute(file, "model_config")
            if model is None:
                raise ModelInvalid("the HDF5 file holds no model (no model_config)")
            name = engine_name(hdf5.text_attribute(file, "keras_version"))
            training = hdf5.json_attribute(file, "training_config") or None
            require_compiled(training, self.settings)
            if not self.settings.streamfit_allow_unsafe_models:
                refuse_code(model, training)
            return _Descriptions(outline(name, model, training), name, training)

    def _load_2(self, keras: Any, described: _Descriptions) -> Any:
        own_optimizer = keeps_optimizer(described.training, self.settings)
        # Given an open file, Keras looks for no other format in it.
        with h5py.File(self.path) as file:
            model = keras.models.load_model(file, compile=own_optimizer)
        model = with_precision(model, keras, self.settings)
        # The optimizer has its state from the file; metrics wait for the labels.
        compile_model(model, keras, described.training, self.settings)
        return model

    def _load_3(self, keras: Any, described: _Descriptions) -> Any:
        # The name's end tells Keras 3 what a file is.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.h5")
            path.symlink_to(self.path.absolute())
            # Compiled by Keras, the optimizer would hold on to variables of its own.
            model = keras.saving.load_model(
                path,
                compile=False,
                safe_mode=not self.settings.streamfit_allow_unsafe_models,
            )
        model = with_precision(model, keras, self.settings)
        compile_model(model, keras, described.training, self.settings)
        with h5py.File(self.path) as file:
            state = hdf5.optimizer_state(file)
        _restore(model.optimizer, model.trainable_variables, state)
        return model


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
