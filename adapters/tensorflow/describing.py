"""
Tells people what a model file is, in a process of its own.

The reasons are those of `inspection`, which has looked before: here nothing is decided.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import attrs

from adapters.tensorflow.looking import look
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from domain.errors import ModelInvalid
from ports.model_reader import ModelPart


def describe(
    path: Path, settings: ModelSettings, chain: ChainSettings | None = None
) -> tuple[ModelPart, ...]:
    """
    Tell what is in *path*, of a chain one sub-model after the other.

    Raises:
        ModelInvalid: It holds no model, or its reader came to no good end.

        Unavailable: The reader came to no end at all.
    """
    looked = look(__name__, path, settings, chain)
    if looked.returncode:
        raise ModelInvalid(f"the model's reader ended with {looked.returncode}")
    return tuple(
        ModelPart(**{**part, "takes": part["takes"] and tuple(part["takes"])})
        for part in json.loads(looked.stdout)
    )


def main(path: str, settings: str, chain: str) -> int:
    """Do it here; what is told, or refused and why, is written out as JSON."""
    from adapters.tensorflow.files import model_file
    from adapters.tensorflow.files.summary import summary

    told: object
    try:
        chained = json.loads(chain)
        file = model_file(
            Path(path),
            ModelSettings(**json.loads(settings)),
            None if chained is None else ChainSettings(**chained),
        )
        told, code = [attrs.asdict(part) for part in summary(file)], os.EX_OK
    except ModelInvalid as reason:
        told, code = str(reason), os.EX_DATAERR
    sys.stdout.write(json.dumps(told))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
