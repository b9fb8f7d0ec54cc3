"""
Tells people what a model file is, in a process of its own.

The reasons are those of `inspection`, which has looked before: here nothing is decided.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapters.tensorflow.looking import look, tell
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from ports.model_reader import ModelPart

if TYPE_CHECKING:
    from adapters.tensorflow.files import ModelFile


def describe(
    path: Path, settings: ModelSettings, chain: ChainSettings | None = None
) -> tuple[ModelPart, ...]:
    """
    Tell what is in *path*, of a chain one sub-model after the other.

    Raises:
        ModelInvalid: It holds no model.

        Unavailable: Looking into it was broken off.
    """
    return tuple(
        ModelPart(**{**part, "takes": part["takes"] and tuple(part["takes"])})
        for part in json.loads(look(__name__, path, settings, chain))
    )


def _parts(file: ModelFile) -> list[dict[str, object]]:
    from adapters.tensorflow.files.summary import summary

    return [attrs.asdict(part) for part in summary(file)]


if __name__ == "__main__":
    sys.exit(tell(_parts, sys.argv[1:]))
