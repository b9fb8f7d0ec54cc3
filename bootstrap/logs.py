"""How log records are rendered: as JSON for machines, in colours for people."""

from __future__ import annotations

import logging
import os
import sys
from typing import Literal, TextIO

import structlog
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks
from structlog.typing import EventDict, Processor

CHATTY = ("httpx", "httpcore", "asyncio", "h5py", "matplotlib", "absl", "tensorflow")
"""Libraries whose everyday remarks nobody asked for."""


def configure(style: Literal["json", "console"], **context: object) -> None:
    """
    Render all log records of the process, libraries' too, on standard error.

    Args:
        style: ``json``: one object per line; ``console``: coloured text.

        context: Facts for every record, for example the deployment's number.
    """
    handler = logging.StreamHandler(_standard_error())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_json(context) if style == "json" else _console()),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    set_on_retry_hooks([LoggingOnRetryHook])


def _standard_error() -> TextIO:
    """
    Return standard error as it is now, on a descriptor of its own.

    Native libraries write to descriptor 2 as they please; an adapter that has to turn
    it away for a while must not turn our records away with it.
    """
    return os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1, encoding="utf-8")


def _json(context: dict[str, object]) -> list[Processor]:
    def add_context(_: object, __: str, event: EventDict) -> EventDict:
        return {**context, **event}

    return [
        add_context,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]


def _console() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        _round,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The default shows local variables, and secrets among them.
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _round(_: object, __: str, event: EventDict) -> EventDict:
    """Leave as many decimals as people read."""
    return {key: _rounded(value) for key, value in event.items()}


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value
