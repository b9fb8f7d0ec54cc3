"""Environment in, exit code out."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from adapters.report.masking import hidden, secrets
from bootstrap import init, termination
from bootstrap.listening import Listeners
from bootstrap.signals import Signals
from domain.errors import (
    DeploymentInvalid,
    ModelInvalid,
    SettingsInvalid,
    Unavailable,
)
from domain.events import JobEnded, Listener, ignore

if TYPE_CHECKING:
    from bootstrap.container import Container

log = logging.getLogger(__name__)

EXIT_CODES = {
    ModelInvalid: os.EX_DATAERR,  # 65
    DeploymentInvalid: os.EX_CONFIG,  # 78
    Unavailable: os.EX_TEMPFAIL,  # 75: worth a restart
    BaseException: os.EX_SOFTWARE,  # 70: a bug
}
"""First match wins; 0 means that the result was accepted."""

GC_THRESHOLDS = (100_000, 50, 50)
"""
A batch brings thousands of Kafka messages, none of them in a cycle.  To search them for
cycles every 700 objects, as Python does by default, costs an eighth of the reading.
"""


COMPLETION = "_STREAMFIT_COMPLETE"
"""Set where a shell asks, without arguments, what could be typed next."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the process's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # As the platform starts it: what is for people stays out of the memory.
    if not arguments and COMPLETION not in os.environ:
        if os.getpid() == 1 and (code := init.become_job()) is not None:
            return code
        return train(os.environ)
    from bootstrap.command_line import app

    app(list(arguments))  # ends the process by itself
    return os.EX_OK


def train(environ: Mapping[str, str]) -> int:
    """Run one training job and return the process's exit code."""
    # Here, since they bring broker and formats along: help need not wait for those.
    from bootstrap import logs
    from bootstrap.container import Container

    signals = Signals(
        last_word=lambda code: termination.write(environ, termination.stopped(code))
    )
    signals.install()
    gc.set_threshold(*GC_THRESHOLDS)
    hide = partial(hidden, known=secrets(environ))
    logs.configure("json", hide, **_identifiers(environ))
    container = Container(environ=environ)
    try:
        return _run(environ, container, signals, hide)
    finally:
        container.shutdown_resources()


def _run(
    environ: Mapping[str, str],
    container: Container,
    signals: Signals,
    hide: Callable[[str], str],
) -> int:
    """Run the job, tell everybody how it has ended, and return the exit code."""
    from bootstrap import foreign, logs
    from bootstrap.checking import check_environment

    listener: Listener = ignore
    identifiers = _identifiers(environ)
    try:
        check_environment(environ)
        settings = container.settings()
        logs.configure(settings.streamfit_log, hide, **identifiers)
        foreign.retell(settings.streamfit_log, identifiers, secrets(environ))
        listener = container.on_event()
        report = container.job().run()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it answers for all
        code, last_word = _failed(error, signals, hide)
        if listener is ignore:
            listener = _whoever_watches(container)
    else:
        code, last_word = os.EX_OK, termination.success(report)
    signals.settle(code)
    termination.write(environ, last_word)
    listener(JobEnded(code, str(last_word.get("message", ""))))
    return code


def _whoever_watches(container: Container) -> Listener:
    """Return who is to hear of a job that could not begin, as far as settings tell."""
    try:
        return Listeners((container.chronicle(), container.watching()))
    except SettingsInvalid:  # among those that were logged
        return ignore
    except Exception:  # what the job ended of counts, and is to be said
        log.warning("nobody is told of the end", exc_info=True)
        return ignore


def _identifiers(environ: Mapping[str, str]) -> dict[str, object]:
    """Return what tells this job's log records from those of others."""
    from bootstrap.tracing import trace_id

    deployment, result = (
        environ.get(name, "").strip() for name in ("DEPLOYMENT_ID", "RESULT_ID")
    )
    given = {
        "deployment_id": int(deployment) if deployment.isdecimal() else deployment,
        "result_id": result,
        "trace_id": trace_id(environ) or "",
    }
    return {name: value for name, value in given.items() if value != ""}


def _failed(
    error: BaseException, signals: Signals, hide: Callable[[str], str]
) -> tuple[int, Mapping[str, object]]:
    """Log why the job has ended, and return the exit code and what to say of it."""
    if signals.code is not None:  # whatever a library made of being interrupted
        log.info("stopped", extra={"exit_code": signals.code})
        return signals.code, termination.stopped(signals.code)
    code = next(c for kind, c in EXIT_CODES.items() if isinstance(error, kind))
    log.error(
        "job failed",
        extra={"reason": str(error), "exit_code": code},
        exc_info=error if code == os.EX_SOFTWARE else None,
    )
    return code, termination.failure(error, code, hide)
