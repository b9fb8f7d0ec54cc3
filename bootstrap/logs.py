"""How log records are rendered: as JSON for machines, in colours for people."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

CHATTY = ("httpx", "httpcore", "asyncio", "h5py", "matplotlib", "absl", "tensorflow")
"""Libraries whose everyday remarks nobody asked for."""


def configure(style: Literal["json", "console"], **context: object) -> None:
    """
    Render all log records of the process, libraries' too, on standard error.

    Args:
        style: ``json``: one object per line; ``console``: coloured text.

        context: Facts for every record, for example the deployment's number.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(style, context))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    set_on_retry_hooks([LoggingOnRetryHook])


def _formatter(
    style: Literal["json", "console"], context: dict[str, object]
) -> structlog.stdlib.ProcessorFormatter:
    def add_context(
        _: object, __: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {**context, **event}

    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=style == "json"),
    ]
    rendering: list[structlog.typing.Processor]
    if style == "json":
        rendering = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ]
        shared.append(add_context)
    else:
        rendering = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *rendering,
        ],
    )
