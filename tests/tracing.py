"""Jobs that are traced, and what their tests share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from adapters.traces.sending import tracing
from adapters.traces.settings import TracesSettings
from domain.events import JobEnded, Listener, ResultDelivered, ResultMade, StreamRead
from domain.phases import Phase
from domain.report import StageSeconds, StreamCounts
from tests import stories
from tests.collector import Span

TRACE = "0af7651916cd43dd8448eb211c80319c"
FACTS = {"deployment": "7", "version": "0.1.0"}
SECONDS = StageSeconds(3.4, 0.8, 0.3, 1.1)
MINUTES = 120.0
"""Longer than any test may take."""


def traced(
    url: str,
    hide: Callable[[str], str] = str,
    facts: Mapping[str, str] = FACTS,
    **settings: str,
) -> AbstractContextManager[Listener]:
    """Trace to the collector at *url*."""
    given = TracesSettings(otel_exporter_otlp_endpoint=url, **settings)
    return tracing(given, given.parent or TRACE, facts, hide)


def deliver(listener: Listener, epochs: int = 2) -> None:
    """Tell *listener* of a job that went well."""
    stories.reading(listener)
    stories.training(listener, epochs)
    listener(Phase.EVALUATING)
    listener(Phase.SAVING)
    listener(StreamRead(StreamCounts(70_000, 69_880, 20), SECONDS))
    listener(ResultMade(stories.report()))
    listener(Phase.KEEPING)
    listener(Phase.DELIVERING)
    listener(ResultDelivered(stories.report()))
    listener(Phase.FINISHING)
    listener(Phase.DONE)
    listener(JobEnded(0))


def ours(span: Span) -> dict[str, object]:
    """Return a span's attributes, without our prefix."""
    assert all(name.startswith("streamfit.") for name in span.attributes)
    return {
        name.removeprefix("streamfit."): told for name, told in span.attributes.items()
    }


def settle() -> None:
    """Wait for what has given up: its remarks are not for the next test."""
    for thread in threading.enumerate():
        if thread.name == "traces" or thread.name.startswith("OtelBatch"):
            thread.join(MINUTES)
            assert not thread.is_alive()
    logger = logging.getLogger("opentelemetry")
    for handler in [*logger.handlers]:
        logger.removeHandler(handler)
    logger.propagate = True
