"""
Looks into a model file in a process of its own.

Afterwards the job waits, perhaps for days, and need not keep what looking took: HDF5's
library alone is a seventh of its memory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapters.tensorflow.looking import look, tell
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from domain.events import Layer, Listener, ModelInspected, ignore

if TYPE_CHECKING:
    from adapters.tensorflow.files import ModelFile


def inspect(
    path: Path,
    settings: ModelSettings,
    chain: ChainSettings | None = None,
    on_event: Listener = ignore,
) -> str:
    """
    Look into *path* without TensorFlow, and tell *on_event* what it is made of.

    Returns:
        The model's outline.

    Raises:
        ModelInvalid: It holds no model that can be trained.

        Unavailable: Looking into it was broken off.
    """
    told = json.loads(look(__name__, path, settings, chain))
    layers = (Layer(**{**one, "shape": tuple(one["shape"])}) for one in told["layers"])
    on_event(ModelInspected(tuple(layers)))
    return str(told["outline"])


def _inspected(file: ModelFile) -> dict[str, object]:
    outline = file.inspect()
    layers = [attrs.asdict(layer) for layer in file.layers()]
    return {"outline": outline, "layers": layers}


if __name__ == "__main__":
    sys.exit(tell(_inspected, sys.argv[1:]))
