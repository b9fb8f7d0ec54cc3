"""What is told of model files, for people."""

from __future__ import annotations

from pathlib import Path

from adapters.tensorflow.files.chain import ModelChain
from adapters.tensorflow.files.ends import ends
from adapters.tensorflow.files.format import Description, ModelFile
from adapters.tensorflow.files.keras_archive import KerasArchive
from adapters.tensorflow.files.keras_hdf5 import KerasHdf5
from adapters.tensorflow.files.saved_model import SavedModelFolder, ZippedSavedModel
from ports.model_reader import ModelPart

_KERAS = {"keras": "Keras 3", "tf_keras": "Keras 2"}


def summary(file: ModelFile) -> list[ModelPart]:
    """
    Tell what *file* is, of a chain one sub-model after the other.

    Raises:
        ModelInvalid: There is no model, or it is not safe.
    """
    match file:
        case ModelChain():
            return [
                part for each in file.sub_models().values() for part in summary(each)
            ]
        case KerasHdf5(path=path):
            return [_part("HDF5", path, file.describe())]
        case KerasArchive(path=path):
            return [_part(".keras", path, file.describe())]
        case SavedModelFolder(path=path):
            return [_part("SavedModel", path, file.describe())]
        case ZippedSavedModel(path=path):
            return [_part("SavedModel, zipped,", path, file.describe())]
    raise TypeError(f"no kind of model file: {type(file).__name__}")


def _part(kind: str, path: Path, described: Description) -> ModelPart:
    found = ends(described.model)
    return ModelPart(
        kind=f"{kind} of {_KERAS.get(described.engine, described.engine)}",
        compiled=described.training is not None,
        size=_size(path),
        takes=found.shape if found.inputs == 1 else None,
    )


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
