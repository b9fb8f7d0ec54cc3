"""The last word of a process, for whoever looks why it ended."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from domain.errors import DeploymentInvalid, ModelInvalid, Unavailable
from domain.report import TrainingReport

log = logging.getLogger(__name__)

VARIABLE = "STREAMFIT_TERMINATION_LOG"
DEFAULT = "/dev/termination-log"
"""Where Kubernetes looks; it makes the file itself."""

_MESSAGE = 2000
"""Characters; Kubernetes cuts the whole off at 4096 bytes."""

HINTS: Mapping[type[BaseException], str] = {
    ModelInvalid: "send another model: a restart does not help",
    DeploymentInvalid: "correct the deployment's settings: a restart does not help",
    Unavailable: "restart once brokers and back-end are there again",
    BaseException: "a bug: please report it with the log",
}
"""What to do, by the kind of error; the first match counts."""


def success(report: TrainingReport) -> dict[str, object]:
    """Return what to say of a job whose result was accepted."""
    loss = report.history[-1].training.get("loss") if report.history else None
    return {
        "code": os.EX_OK,
        "rows": report.stream.examples if report.stream else None,
        "loss": loss if loss is not None and math.isfinite(loss) else None,
        "time": report.training_time,
    }


def failure(
    error: BaseException, code: int, hide: Callable[[str], str] = str
) -> dict[str, object]:
    """
    Return what to say of a job that ended with *error*.

    Args:
        error: What it ended with.

        code: The exit code.

        hide: Takes the secrets out of a text.
    """
    message = hide(str(error))
    place, found, _ = message.partition(": ")
    return {
        "code": code,
        "class": type(error).__name__,
        "message": message[:_MESSAGE],
        "place": place[:_MESSAGE] if found else None,
        "hint": next(hint for kind, hint in HINTS.items() if isinstance(error, kind)),
    }


def stopped(code: int) -> dict[str, object]:
    """Return what to say of a job that was told to stop."""
    message, hint = "stopped by a signal", "restart to begin again"
    return {"code": code, "class": "Stopped", "message": message, "hint": hint}


def write(environ: Mapping[str, str], outcome: Mapping[str, object]) -> None:
    """
    Write *outcome* as one JSON object to the file that the environment names.

    Without the variable, it is Kubernetes's, and nothing if that is not there.  A file
    that cannot be written changes nothing about the end of the job.
    """
    path = Path(environ.get(VARIABLE, "").strip() or DEFAULT)
    if VARIABLE not in environ and not path.exists():
        return
    try:
        path.write_text(json.dumps(outcome) + "\n")
    except OSError as reason:
        log.warning(
            "termination message not written",
            extra={"path": str(path), "reason": str(reason)},
        )
