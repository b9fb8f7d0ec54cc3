"""Who listens cannot disturb the job, nor each other."""

from __future__ import annotations

import logging

from bootstrap.listening import Listeners
from domain.phases import Phase


def test_order():
    """Everybody is told of everything, in order."""
    heard = []

    listeners = Listeners([heard.append, lambda e: heard.append(str(e))])
    for phase in (Phase.READING, Phase.DONE):
        listeners(phase)

    assert [Phase.READING, "reading the stream", Phase.DONE, "done"] == heard


def test_failing(caplog):
    """One that fails is told no more, and the log says so once; others are."""
    heard, told = [], []

    def failing(event):
        told.append(event)
        raise ZeroDivisionError

    listeners = Listeners([failing, heard.append])
    with caplog.at_level(logging.WARNING):
        for phase in (Phase.READING, Phase.DONE):
            listeners(phase)

    assert [Phase.READING] == told
    assert [Phase.READING, Phase.DONE] == heard
    (line,) = caplog.records
    assert "listener failed" == line.message
    assert line.exc_info[0] is ZeroDivisionError
