"""Where the untrained model comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class ModelRepository(Protocol):
    """The back-end's store of models."""

    @property
    def repeats(self) -> bool:
        """
        Whether a model comes with the same weights every time.

        The platform's back-end makes it anew for every download (contract, section
        9.1).
        """
        ...

    def fetch(self) -> Path:
        """
        Return a file that holds the deployment's untrained model, or a folder of those
        of a chain.

        It stays readable, and unchanged, until the process ends.

        Raises:
            Unavailable: The back-end stayed away.

            ModelInvalid: The back-end has no model for this deployment.
        """
        ...
