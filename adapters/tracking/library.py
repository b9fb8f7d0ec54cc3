"""MLflow's library, imported as it suits a job."""

from __future__ import annotations

import logging
import math
import os
import threading
from importlib.util import find_spec
from typing import Any

from adapters.tracking.errors import Refused

SWITCHES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",  # its records are for our log
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # with the password in it
}
"""What the library must not do: it looks while it is imported."""

_SHORTEST = 10
"""Seconds for an answer, however short the end of the job is to be."""

_QUIET = ("mlflow", "urllib3")
"""Loggers of the library that remark on every retry."""


def is_there() -> bool:
    """Whether it is installed."""
    return find_spec("mlflow") is not None


def client(uri: str, patience: float) -> Any:
    """
    Import the library, and return a client of the server at *uri*.

    What users say of its requests counts; else each is one attempt, with *patience* for
    an answer: who waits for it tries again by itself.

    Raises:
        Refused: It cannot be imported, or does not know what to do with *uri*.
    """
    os.environ.update(SWITCHES)
    seconds = max(math.ceil(patience), _SHORTEST)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(seconds))
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    found: list[Any] = []
    failed: list[Exception] = []

    def load() -> None:
        try:
            from mlflow.tracking import MlflowClient

            found.append(MlflowClient(uri))
        except Exception as error:  # noqa: BLE001  # it imports half the world
            failed.append(error)

    # No daemon: a process that ends in the middle of native code would crash.
    loading = threading.Thread(target=load, name="import of mlflow")
    loading.start()
    loading.join()
    if failed:
        raise Refused(f"{type(failed[0]).__name__}: {failed[0]}") from failed[0]
    return found[0]
