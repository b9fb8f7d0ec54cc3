"""What can be told of a model without loading it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from attrs import frozen


@frozen
class ModelPart:
    """
    A model, or one of the sub-models of a chain, as its file describes it.

    Attributes:
        kind: What the file is, for people.

        compiled: Whether it says how to train.

        size: Bytes of the file, or of all files of a folder; None if nobody looked.

        takes: Shape of one example that the only input takes, None for an axis of any
            length; None where it is not told.
    """

    kind: str
    compiled: bool
    size: int | None = None
    takes: tuple[int | None, ...] | None = None


@runtime_checkable
class ModelReader(Protocol):
    """What a trainer may do besides: describe models for people."""

    def describe(self, model: Path) -> tuple[ModelPart, ...]:
        """
        Tell what is in *model* without running it and without loading the framework.

        Returns:
            The model alone; of a chain, its sub-models in their order.

        Raises:
            ModelInvalid: The file holds no model.
        """
        ...
