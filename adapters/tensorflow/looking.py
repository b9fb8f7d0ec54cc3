"""
Model files are looked into by a process of its own, which gives memory back.

Nor does a file that makes HDF5's library crash take the job along.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from domain.errors import ModelInvalid, Unavailable

if TYPE_CHECKING:  # which is for the other process
    from adapters.tensorflow.files import ModelFile

_PATIENCE = 300.0  # seconds; what is looked into is a few megabytes at most

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL}


def look(
    module: str, path: Path, settings: ModelSettings, chain: ChainSettings | None
) -> str:
    """
    Have the program *module* look into *path*, and return what it wrote.

    Raises:
        ModelInvalid: It refused the file, or the file made it crash.

        Unavailable: Somebody, or the kernel for want of memory, put an end to it, or it
            did not come to one.
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
    if -looked.returncode in _CRASHES:
        name = signal.Signals(-looked.returncode).name
        raise ModelInvalid(f"the model file makes its reader crash: {name}")
    if looked.returncode < 0:
        name = signal.Signals(-looked.returncode).name
        raise Unavailable(f"{path}: looking into the model was ended by {name}")
    if looked.returncode:
        raise RuntimeError(f"looking into the model failed: {looked.stderr}")
    return looked.stdout


def tell(found: Callable[[ModelFile], object], arguments: list[str]) -> int:
    """
    Look into a file here, as `look` has asked for it.

    What was *found* goes to standard output as JSON, or why the file is refused; the
    value is the exit code.
    """
    from adapters.tensorflow.files import model_file

    path, settings, chain = arguments
    told: object
    try:
        chained = json.loads(chain)
        file = model_file(
            Path(path),
            ModelSettings(**json.loads(settings)),
            None if chained is None else ChainSettings(**chained),
        )
        told, code = found(file), os.EX_OK
    except ModelInvalid as reason:
        told, code = str(reason), os.EX_DATAERR
    sys.stdout.write(json.dumps(told))
    return code
