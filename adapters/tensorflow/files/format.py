"""What every kind of model file can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from domain.events import Layer

Engine = Any
"""The Keras that a file is for: the module `keras` (3) or `tf_keras` (2)."""


@frozen
class LoadedModel:
    """
    A model out of its file.

    Attributes:
        keras_model: The model, compiled.

        engine: Whose model it is.

        parts: Of a chain, the names of its sub-models.  The outputs are theirs, in this
            order, and are called ``1``, ``2``, ...
    """

    keras_model: Any
    engine: Engine
    parts: tuple[str, ...] = ()

    @property
    def of_keras_3(self) -> bool:
        """Whether it is a model of Keras 3, not of Keras 2."""
        return bool(self.engine.__name__ == "keras")


@frozen
class Description:
    """
    What a file says of its model.

    Attributes:
        outline: Digest of all of it.

        engine: Name of the Keras that it is for.

        model: The model, in Keras's own form.

        training: How it was compiled, in the same form; None if it was not.
    """

    outline: str
    engine: str
    model: Mapping[str, Any]
    training: dict[str, Any] | None


class ModelFile(Protocol):
    """An untrained model in a file, of a kind that has been told by its content."""

    def inspect(self) -> str:
        """
        Look into the file without any Keras, and without running what is in it.

        Returns:
            The model's outline.

        Raises:
            ModelInvalid: The model cannot be trained, or not safely.
        """
        ...

    def layers(self) -> tuple[Layer, ...]:
        """Name the layers of a file that was inspected, as far as it tells them."""
        ...

    def load(self) -> LoadedModel:
        """
        Inspect the file and load it afresh.

        Raises:
            ModelInvalid: The file holds no model that Keras can load and train.

            SettingsInvalid: Keras does not know what the variables ask for.
        """
        ...

    def save(self, keras_model: Any, folder: Path) -> Path:
        """
        Write a file of the same kind for *keras_model*, which was loaded from this one.

        Returns:
            A new file in *folder*; of a chain, *folder* itself, with several.
        """
        ...


class SubModelFile(ModelFile, Protocol):
    """A model file of a kind that may hold a link of a chain."""

    def describe(self) -> Description:
        """
        Look into the file as `inspect` does, but do not ask for a compiled model.

        Raises:
            ModelInvalid: There is no model, or it is not safe.
        """
        ...

    def load_uncompiled(self) -> LoadedModel:
        """
        Look into the file and load it afresh, for somebody else to compile.

        Raises:
            ModelInvalid: The file holds no model that Keras can load.
        """
        ...
