"""
Model files of every kind that Keras writes: looked into, loaded, and written again.

What a file is, its content tells, not its name.  Looking into one imports neither
TensorFlow nor Keras.
"""

from __future__ import annotations

from pathlib import Path

from adapters.tensorflow.files import archives
from adapters.tensorflow.files.chain import ModelChain
from adapters.tensorflow.files.format import LoadedModel, ModelFile
from adapters.tensorflow.files.keras_archive import KerasArchive
from adapters.tensorflow.files.keras_hdf5 import KerasHdf5
from adapters.tensorflow.files.saved_model import SavedModelFolder, ZippedSavedModel
from adapters.tensorflow.files.signature import Signature, signature
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings

__all__ = ["LoadedModel", "ModelFile", "model_file"]


def model_file(
    path: Path, settings: ModelSettings, chain: ChainSettings | None = None
) -> ModelFile:
    """
    Return the model file at *path*.

    Args:
        path: A file, or a folder.

        settings: What it may hold.

        chain: How a chain is compiled, if it is one: a folder of sub-models then.

    Raises:
        ModelInvalid: It is none; the message says what it looks like.
    """
    if chain is not None:
        return ModelChain(path, settings, chain)
    match signature(path):
        case Signature.HDF5:
            return KerasHdf5(path, settings)
        case Signature.FOLDER:
            return SavedModelFolder(path, settings)
        case Signature.ZIP:
            if archives.holds(path, "config.json"):
                return KerasArchive(path, settings)
            return ZippedSavedModel(path, settings)
