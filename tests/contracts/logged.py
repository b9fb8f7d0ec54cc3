"""Tells a test the moment at which the log says something."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

PATIENCE = 60.0
"""Seconds after which a test that waits is given up."""


@contextmanager
def logged(message: str) -> Iterator[Event]:
    """Set the event as soon as an adapter logs *message*."""
    moment = Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg == message:
                moment.set()

    listener, logger = Listener(), logging.getLogger("adapters")
    before = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    try:
        yield moment
    finally:
        logger.removeHandler(listener)
        logger.setLevel(before)
