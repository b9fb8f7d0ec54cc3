"""
Looks into a model file in a process of its own.

Afterwards the job waits, perhaps for days, and need not keep what looking took: HDF5's
library alone is a seventh of its memory.  Nor does a file that makes that library crash
take the job along.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import attrs

from adapters.tensorflow.looking import look
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from domain.errors import ModelInvalid, Unavailable
from domain.events import Layer, Listener, ModelInspected, ignore

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL}


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

        Unavailable: Somebody, or the kernel for want of memory, put an end to it, or it
            did not come to one.
    """
    looked = look(__name__, path, settings, chain)
    if -looked.returncode in _CRASHES:
        name = signal.Signals(-looked.returncode).name
        raise ModelInvalid(f"the model file makes its reader crash: {name}")
    if looked.returncode < 0:
        name = signal.Signals(-looked.returncode).name
        raise Unavailable(f"{path}: looking into the model was ended by {name}")
    if looked.returncode:
        raise RuntimeError(f"looking into the model failed: {looked.stderr}")
    told = json.loads(looked.stdout)
    layers = (Layer(**{**one, "shape": tuple(one["shape"])}) for one in told["layers"])
    on_event(ModelInspected(tuple(layers)))
    return str(told["outline"])


def main(path: str, settings: str, chain: str) -> int:
    """Do it here; what was found goes to standard output, or why it is refused."""
    from adapters.tensorflow.files import model_file

    told: object
    try:
        chained = json.loads(chain)
        file = model_file(
            Path(path),
            ModelSettings(**json.loads(settings)),
            None if chained is None else ChainSettings(**chained),
        )
        outline = file.inspect()
        layers = [attrs.asdict(layer) for layer in file.layers()]
        told, code = {"outline": outline, "layers": layers}, os.EX_OK
    except ModelInvalid as reason:
        told, code = str(reason), os.EX_DATAERR
    sys.stdout.write(json.dumps(told))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
