"""How examples become records."""

from __future__ import annotations

from typing import Protocol

from domain.batches import Array, BinaryColumn
from domain.request import DecoderSpec


class Encoder(Protocol):
    """The encoding of one data set, whose examples all look alike."""

    @property
    def decoder(self) -> DecoderSpec:
        """What whoever decodes the records must be told."""
        ...

    def values(self, features: Array) -> BinaryColumn:
        """
        Encode the features of some examples.

        Raises:
            InvalidExample: One of them does not fit.
        """
        ...

    def keys(self, labels: Array) -> BinaryColumn:
        """
        Encode the labels of some examples.

        Raises:
            InvalidExample: One of them does not fit.
        """
        ...
