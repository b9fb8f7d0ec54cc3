"""Models as zip archives, as Keras 3 and the last Keras 2 write them (``.keras``)."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from attrs import frozen

from adapters.tensorflow.files import archives, hdf5
from adapters.tensorflow.files.compiling import (
    compile_model,
    keeps_optimizer,
    require_compiled,
)
from adapters.tensorflow.files.configuration import parsed, refuse_code
from adapters.tensorflow.files.engines import engine, engine_name, loading
from adapters.tensorflow.files.format import (
    Description,
    Engine,
    LoadedModel,
    SubModelFile,
)
from adapters.tensorflow.files.layers import counted_by_kind, described
from adapters.tensorflow.files.outline import outline
from adapters.tensorflow.files.precision import with_precision
from adapters.tensorflow.model_settings import ModelSettings
from domain.errors import ModelInvalid
from domain.events import Layer

_WEIGHTS = "model.weights.h5"
_GROUPS = ("layers", "_layer_checkpoint_dependencies")
_MEMBERS = {"metadata.json", "config.json", _WEIGHTS}


@frozen
class KerasArchive(SubModelFile):
    """
    A model as a zip archive of description and weights.

    Attributes:
        path: The archive.

        settings: What it may hold.
    """

    path: Path
    settings: ModelSettings

    def inspect(self) -> str:
        """Look into the archive; see the protocol."""
        described = self.describe()
        require_compiled(described.training, self.settings)
        return described.outline

    def layers(self) -> tuple[Layer, ...]:
        """Name the layers; see the protocol."""
        layers = described(self.describe().model)
        limit = self.settings.streamfit_max_model_bytes
        with archives.opened(self.path, limit) as archive:
            shapes = _arrays(archive, limit)
        # Keras 3 began with the first name, Keras 2 ended with the second.
        outer = {path.partition("/")[0] for path in shapes}
        group = next((group for group in _GROUPS if group in outer), "")
        return counted_by_kind(layers, shapes, group)

    def load(self) -> LoadedModel:
        """Inspect the archive and load it afresh; see the protocol."""
        described = self.describe()
        require_compiled(described.training, self.settings)
        keras = engine(described.engine)
        own_optimizer = keeps_optimizer(described.training, self.settings)
        with loading(self.settings.streamfit_max_model_bytes):
            model = self._read(keras, own_optimizer=own_optimizer)
            compile_model(model, keras, described.training, self.settings)
        return LoadedModel(model, keras)

    def load_uncompiled(self) -> LoadedModel:
        """Look into the archive and load it afresh; see the protocol."""
        keras = engine(self.describe().engine)
        with loading(self.settings.streamfit_max_model_bytes):
            model = self._read(keras, own_optimizer=False)
        return LoadedModel(model, keras)

    def save(self, keras_model: Any, folder: Path) -> Path:
        """
        Write a copy of the archive with the weights of *keras_model*.

        Should this version of Keras order the weights otherwise than the one that wrote
        the archive, the description is written anew as well.
        """
        path = folder / "trained_model.keras"
        keras_model.save(path)
        anew = folder / "anew.keras"
        path.rename(anew)
        limit = self.settings.streamfit_max_model_bytes
        with zipfile.ZipFile(anew) as new, archives.opened(self.path, limit) as old:
            if _arrays(new, limit) != _arrays(old, limit):
                anew.rename(path)
                return path
            with zipfile.ZipFile(path, "x") as copy:
                for member in old.infolist():
                    source = new if member.filename == _WEIGHTS else old
                    with (
                        source.open(member.filename) as content,
                        copy.open(member.filename, "w") as target,
                    ):
                        shutil.copyfileobj(content, target)
        anew.unlink()
        return path

    def describe(self) -> Description:
        """Look into the archive, compiled or not; see the protocol."""
        limit = self.settings.streamfit_max_model_bytes
        with archives.opened(self.path, limit) as archive:
            for name in archive.namelist():
                if name not in _MEMBERS and not name.startswith("assets/"):
                    raise ModelInvalid(
                        f"the archive's member {name!r} is not supported"
                    )
            metadata = parsed(archives.read(archive, "metadata.json"), "metadata.json")
            model = parsed(archives.read(archive, "config.json"), "config.json")
            if not isinstance(metadata, dict) or not isinstance(model, dict):
                raise ModelInvalid("the archive holds no model")
            name = engine_name(str(metadata.get("keras_version")))
            if not self.settings.streamfit_allow_unsafe_models:
                refuse_code(model)
            with _weights(archive) as weights, hdf5.opened(weights, limit):
                pass  # it is harmless
        # That of a model that is not compiled may be empty.
        training = model.get("compile_config") or None
        return Description(outline(name, model), name, model, training)

    def _read(self, keras: Engine, *, own_optimizer: bool) -> Any:
        """Let Keras read the model."""
        with tempfile.TemporaryDirectory() as folder:
            # The name's end tells Keras what a file is.
            path = Path(folder, "model.keras")
            path.symlink_to(self.path.absolute())
            model = keras.models.load_model(
                path,
                compile=own_optimizer,
                safe_mode=not self.settings.streamfit_allow_unsafe_models,
            )
        return with_precision(model, keras, self.settings)


@contextmanager
def _weights(archive: zipfile.ZipFile) -> Iterator[BinaryIO]:
    """Unpack the weights: HDF5 is read to and fro, and a zip from start to end."""
    with tempfile.TemporaryFile() as copy:
        try:
            with archive.open(_WEIGHTS) as content:
                shutil.copyfileobj(content, copy)
        except KeyError:
            raise ModelInvalid(f"the archive has no member {_WEIGHTS!r}") from None
        yield copy


def _arrays(archive: zipfile.ZipFile, limit: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights in *archive*, the optimizer's state apart."""
    with _weights(archive) as weights, hdf5.opened(weights, limit) as file:
        return {
            name: shape
            for name, shape in hdf5.shapes(file).items()
            if not name.startswith("optimizer/")
        }
