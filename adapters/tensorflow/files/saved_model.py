"""
Models as SavedModel folders, as Keras 2 writes them, or as zip archives of such.

A SavedModel holds the model's description, its weights, and graphs: programs, which may
read and write files.  We build the model from its description, give it the weights, and
never look at the graphs, let alone run them.  What goes back is the folder that came,
its graphs included, with other weights, so that TensorFlow reads it as it did before.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from adapters.tensorflow.files import archives, checkpoints
from adapters.tensorflow.files.compiling import compile_model, require_compiled
from adapters.tensorflow.files.configuration import parsed, refuse_code
from adapters.tensorflow.files.engines import engine, loading
from adapters.tensorflow.files.format import Description, LoadedModel, ModelFile
from adapters.tensorflow.files.layers import described
from adapters.tensorflow.files.outline import outline
from adapters.tensorflow.files.precision import with_precision
from adapters.tensorflow.files.protobuf import fields, inside
from adapters.tensorflow.model_settings import ModelSettings
from domain.errors import ModelInvalid
from domain.events import Layer

_GRAPHS = "saved_model.pb"
_DESCRIPTION = "keras_metadata.pb"
_VARIABLES = "variables/variables"


@frozen
class SavedModelFolder(ModelFile):
    """
    A model in a folder of its own.

    Attributes:
        path: The folder.

        settings: What it may hold.
    """

    path: Path
    settings: ModelSettings

    def inspect(self) -> str:
        """Look into the folder; see the protocol."""
        return outline(self._described())

    def describe(self) -> Description:
        """Tell what the folder says of its model."""
        return _summed_up(self._described())

    def layers(self) -> tuple[Layer, ...]:
        """Name the layers; see the protocol."""
        return described(_model_config(self._described()))

    def load(self) -> LoadedModel:
        """Inspect the folder and load it afresh; see the protocol."""
        description = self._described()
        keras = engine("tf_keras")
        limit = self.settings.streamfit_max_model_bytes
        variables = self.path / _VARIABLES
        with loading(limit):
            checkpoints.refuse_bombs(variables, limit)
            if _has_class(description):
                model = keras.models.model_from_config(_model_config(description))
                if not model.built:
                    model.build(description.get("build_input_shape"))
                checkpoints.restore(model, variables)
            else:
                model = keras.models.load_model(self.path)
            model = with_precision(model, keras, self.settings)
            compile_model(
                model, keras, description.get("training_config"), self.settings
            )
        return LoadedModel(model, keras)

    def save(self, keras_model: Any, folder: Path) -> Path:
        """Write a zip archive of the folder, with the weights of *keras_model*."""
        path = folder / "trained_model.zip"
        with tempfile.TemporaryDirectory(dir=folder) as trained:
            copy = Path(trained, "model")
            shutil.copytree(self.path, copy)
            self.overwrite(keras_model, copy)
            archives.pack(copy, path)
        return path

    def overwrite(self, keras_model: Any, folder: Path) -> None:
        """Put the weights of *keras_model* into *folder*, which is like this one."""
        if _has_class(self._described()):
            checkpoints.graft(keras_model, folder / _VARIABLES)
        else:
            shutil.rmtree(folder)
            keras_model.save(folder, save_format="tf")

    def _described(self) -> dict[str, Any]:
        def read(name: str) -> bytes | None:
            file = self.path / name
            return file.read_bytes() if file.exists() else None

        return _described(read, self.settings)


@frozen
class ZippedSavedModel(ModelFile):
    """
    A zip archive of a SavedModel's files, or of its folder.

    Attributes:
        path: The archive.

        settings: What it may hold.
    """

    path: Path
    settings: ModelSettings

    def inspect(self) -> str:
        """Look into the archive; see the protocol."""
        return outline(self._described())

    def describe(self) -> Description:
        """Tell what the archive says of its model."""
        return _summed_up(self._described())

    def layers(self) -> tuple[Layer, ...]:
        """Name the layers; see the protocol."""
        return described(_model_config(self._described()))

    def _described(self) -> dict[str, Any]:
        with archives.opened(
            self.path, self.settings.streamfit_max_model_bytes
        ) as zip_:
            folder = _folder(zip_.namelist())
            names = set(zip_.namelist())

            def read(name: str) -> bytes | None:
                member = folder + name
                return archives.read(zip_, member) if member in names else None

            return _described(read, self.settings)

    def load(self) -> LoadedModel:
        """Unpack the archive and load the model; see the protocol."""
        with tempfile.TemporaryDirectory() as unpacked:
            return self._unpack(Path(unpacked)).load()

    def save(self, keras_model: Any, folder: Path) -> Path:
        """Write a copy of the archive with the weights of *keras_model*."""
        path = folder / "trained_model.zip"
        with tempfile.TemporaryDirectory(dir=folder) as unpacked:
            model = self._unpack(Path(unpacked))
            model.overwrite(keras_model, model.path)
            archives.pack(Path(unpacked), path)
        return path

    def _unpack(self, target: Path) -> SavedModelFolder:
        limit = self.settings.streamfit_max_model_bytes
        with archives.opened(self.path, limit) as archive:
            folder = _folder(archive.namelist())
            archives.unpack(archive, target)
        return SavedModelFolder(target / folder, self.settings)


def _folder(members: list[str]) -> str:
    """Return where in an archive the model is, with a slash at the end, or nothing."""
    found = [name for name in members if Path(name).name == _GRAPHS]
    if not found:
        raise ModelInvalid(
            "the zip archive is neither a .keras file (no config.json) "
            f"nor a SavedModel (no {_GRAPHS})"
        )
    if len(found) > 1:
        raise ModelInvalid(f"the zip archive holds several models: {', '.join(found)}")
    return found[0].removesuffix(_GRAPHS)


def _described(
    read: Callable[[str], bytes | None], settings: ModelSettings
) -> dict[str, Any]:
    """
    Return the description of the model whose files *read* returns.

    Raises:
        ModelInvalid: There is none, or none that can be trained, or not safely.
    """
    try:
        text = _from_metadata(read(_DESCRIPTION)) or _from_graphs(read(_GRAPHS))
    except ValueError as error:
        raise ModelInvalid(f"the SavedModel is damaged: {error}") from error
    if text is None:
        raise ModelInvalid(
            "the SavedModel holds no Keras model: save it with Keras's model.save"
        )
    description = _decoded(parsed(text, "description"))
    if not isinstance(description, dict):
        raise ModelInvalid("the SavedModel holds no Keras model")
    if not settings.streamfit_allow_unsafe_models:
        refuse_code(description)
        if not _has_class(description):
            raise ModelInvalid(
                f"the model is of a Python class, {description.get('class_name')!r}, "
                "that is not in the file: build it of Keras's layers (Sequential or "
                "functional)"
            )
    require_compiled(description.get("training_config"), settings)
    return description


def _summed_up(description: dict[str, Any]) -> Description:
    return Description(
        outline(description),
        "tf_keras",
        _model_config(description),
        description.get("training_config"),
    )


def _from_metadata(content: bytes | None) -> bytes | None:
    """Return the description of the root, since TensorFlow 2.5 in a file of its own."""
    for node in inside(content or b"", 1):
        parts = dict(fields(node))
        if bytes(parts.get(3, b"")) == b"root" and 5 in parts:
            return bytes(parts[5])
    return None


def _from_graphs(content: bytes | None) -> bytes | None:
    """Return the description of the root, up to TensorFlow 2.4 among the graphs."""
    for root in inside(content or b"", 2, 7, 1):
        for user_object in inside(root, 4):
            parts = dict(fields(user_object))
            if bytes(parts.get(1, b"")).startswith(b"_tf_keras_") and 3 in parts:
                return bytes(parts[3])
        return None  # the first one is the root
    return None


def _decoded(value: Any) -> Any:
    """Return *value* with tuples for what Keras writes in their place."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("__tuple__", "TensorShape"):
        return tuple(map(_decoded, value.get("items") or ()))
    return {name: _decoded(item) for name, item in value.items()}


def _has_class(description: Mapping[str, Any]) -> bool:
    """Tell whether Keras has the model's class, and the file all its layers."""
    config = description.get("config")
    return isinstance(config, dict) and "layers" in config


def _model_config(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Keras builds the model from."""
    config = description.get("model_config")
    if isinstance(config, dict) and "layers" in (config.get("config") or {}):
        return config
    return {name: description[name] for name in ("class_name", "config")}
