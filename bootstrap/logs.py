"""How log records are rendered: as JSON for machines, in colours for people."""

from __future__ import annotations

import io
import logging
import math
import os
import sys
from collections.abc import Callable
from typing import Literal, Protocol, TextIO

import structlog
from attrs import define
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks
from structlog.typing import EventDict, Processor

from bootstrap.phase_board import BOARD
from bootstrap.retelling import harmless

CHATTY = ("httpx", "httpcore", "asyncio", "h5py", "matplotlib", "absl", "tensorflow")
"""Libraries whose everyday remarks nobody asked for."""


class Writes(Protocol):
    """Whatever records are written to."""

    def write(self, text: str, /) -> object:
        """Write *text*, which ends its line."""


@define(eq=False)
class Above:
    """
    Writes above a display that holds the terminal's last lines.

    Attributes:
        show: Shows some lines there.
    """

    show: Callable[[str], None]

    def write(self, text: str, /) -> None:
        """Write *text*, which ends its line."""
        self.show(text.removesuffix("\n"))


def configure(
    style: Literal["json", "console"],
    hide: Callable[[str], str] = str,
    **context: object,
) -> None:
    """
    Render all log records of the process, libraries' too, on standard error.

    Args:
        style: ``json``: one object per line; ``console``: coloured text.

        hide: Takes the secrets out of a text, whoever has put them there.

        context: Facts for every record, for example the deployment's number.
    """
    stream = _standard_error()
    handler = logging.StreamHandler[Writes](stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_json(context, hide) if style == "json" else _console(stream, hide)),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    set_on_retry_hooks([LoggingOnRetryHook])


def terminal() -> TextIO | None:
    """Return what records are written to, if a display may be drawn there."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            stream: object = handler.stream
            if isinstance(stream, io.TextIOWrapper) and stream.isatty():
                return stream if os.environ.get("TERM", "dumb") != "dumb" else None
    return None


def write_above(show: Callable[[str], None]) -> None:
    """Write records by *show* from now on, above the display that it belongs to."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(Above(show))


def _standard_error() -> TextIO:
    """
    Return standard error as it is now, on a descriptor of its own.

    Native libraries write to descriptor 2 as they please; an adapter that has to turn
    it away for a while must not turn our records away with it.
    """
    return os.fdopen(
        os.dup(sys.stderr.fileno()),
        "w",
        buffering=1,
        encoding="utf-8",
        errors="backslashreplace",
    )


def _json(context: dict[str, object], hide: Callable[[str], str]) -> list[Processor]:
    def add_context(_: object, __: str, event: EventDict) -> EventDict:
        phase = {} if BOARD.name is None else {"phase": BOARD.name}
        return {**context, **phase, **event}

    return [
        add_context,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _plain,
        _without_secrets(hide),
        structlog.processors.JSONRenderer(default=str, allow_nan=False),
    ]


def _plain(_: object, __: str, event: EventDict) -> EventDict:
    """Leave nothing that JSON cannot say."""
    return {str(key): _said(value) for key, value in event.items()}


def _said(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _said(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_said(item) for item in value]
    return value


_OURS = ("level", "logger", "phase", "timestamp")
"""What others have no say in."""


def _without_secrets(hide: Callable[[str], str]) -> Processor:
    def hidden(value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {hide(str(key)): hidden(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [hidden(item) for item in value]
        return hide(str(value))

    def mask(_: object, __: str, event: EventDict) -> EventDict:
        """Show no secret, whoever has quoted it: a library, a server, a traceback."""
        return {k: v if k in _OURS else hidden(v) for k, v in event.items()}

    return mask


def _console(stream: TextIO, hide: Callable[[str], str]) -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        _round,
        # Not structlog's own: they show local variables, and secrets among them.
        structlog.processors.format_exc_info,
        _without_secrets(hide),
        _escaped,
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty() and not os.environ.get("NO_COLOR"),
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


_SEVERAL_LINES = ("exception", "stack")


def _escaped(_: object, __: str, event: EventDict) -> EventDict:
    """Let no text begin a line, nor a colour, of its own."""
    return {
        harmless(str(key)): (
            _quoted(value) if key in _SEVERAL_LINES else _without_controls(value)
        )
        for key, value in event.items()
    }


def _quoted(value: object) -> str:
    """Mark every line of *value* as a part of it."""
    return "\n".join(f"  | {harmless(line)}" for line in str(value).split("\n"))


def _without_controls(value: object) -> object:
    if isinstance(value, str):
        return harmless(value)
    shown = repr(value)  # as it will be
    return value if shown.isprintable() else harmless(shown)


def _round(_: object, __: str, event: EventDict) -> EventDict:
    """Leave as many decimals as people read."""
    return {key: _rounded(value) for key, value in event.items()}


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value
