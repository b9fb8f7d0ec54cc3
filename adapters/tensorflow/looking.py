"""Model files are looked into by a process of its own, which gives memory back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs

from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from domain.errors import ModelInvalid, Unavailable

_PATIENCE = 300.0  # seconds; what is looked into is a few megabytes at most


def look(
    module: str, path: Path, settings: ModelSettings, chain: ChainSettings | None
) -> subprocess.CompletedProcess[str]:
    """
    Have the program *module* look into *path*.

    Returns:
        How it ended, and what it wrote.

    Raises:
        ModelInvalid: It refused the file.

        Unavailable: It came to no end.
    """
    chained = None if chain is None else attrs.asdict(chain)
    told = (str(path), json.dumps(attrs.asdict(settings)), json.dumps(chained))
    try:
        looked = subprocess.run(  # noqa: S603  # a module of this package
            [sys.executable, "-P", "-m", module, *told],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired as late:
        raise Unavailable(
            f"{path}: looking into the model took more than {_PATIENCE:g} seconds"
        ) from late
    if looked.returncode == os.EX_DATAERR:
        raise ModelInvalid(json.loads(looked.stdout))
    return looked
