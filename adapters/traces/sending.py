"""Spans on their way to a collector, and what becomes of them if it is away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from attrs import define, field
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.traces.settings import TracesSettings
from adapters.traces.spans import Spans
from domain.events import Event, JobEnded, Listener

log = logging.getLogger(__name__)

SECONDS = 5.0
"""That the end of the job waits for the last spans to be sent, at most."""

IN_A_HURRY = 2.0
"""The same after a signal: whoever sent it is waiting, too."""

_STOPPED = (130, 143)

_LIBRARY = "opentelemetry"
_LOSING = "opentelemetry.sdk._shared_internal"
"""Loggers of the SDK: of all of it, and of what gives spans up."""


@define(eq=False)
class Losses:
    """
    Says once that spans are lost.

    Attributes:
        address: Where they were sent to; without secrets.

        hide: Takes secrets out of a text.

        remark: What the SDK has said first of what it sends now; the last word is that
            it has tried often enough.
    """

    address: str
    hide: Callable[[str], str]
    remark: str = field(default="", init=False)
    _said: threading.Lock = field(factory=threading.Lock, init=False)

    def __call__(self, reason: str = "") -> None:
        """Say so, for *reason* or for what the SDK has said."""
        if self._said.acquire(blocking=False):
            told = self.hide(reason or self.remark)
            log.warning(
                "traces are not sent", extra={"address": self.address, "reason": told}
            )


class Remarks(logging.Handler):
    """
    Listens to the SDK, which logs every failure, with addresses and all.

    Until it works, everything that it says is told, without secrets: it is about its
    settings.  Later on it is a reason to give.
    """

    def __init__(self, losses: Losses) -> None:
        super().__init__(logging.WARNING)
        self._losses = losses
        self._logger = logging.getLogger(_LIBRARY)
        self._propagated = self._logger.propagate
        self.at_work = False

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; see logging."""
        said = record.getMessage()
        if not self.at_work:
            told = self._losses.hide(said)
            log.warning("traces: a setting is odd", extra={"reason": told})
            return
        self._losses.remark = self._losses.remark or said
        if record.name == _LOSING:
            self._losses(said)

    def attach(self) -> None:
        """Begin to listen."""
        self._logger.addHandler(self)
        self._logger.propagate = False

    def detach(self) -> None:
        """Listen no more."""
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated


@define(eq=False)
class Watched(SpanExporter):
    """
    An exporter whose failures are noticed.

    Attributes:
        exporter: Sends spans; takes its time.

        losses: Is told if it does not.
    """

    exporter: SpanExporter
    losses: Losses

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send *spans*; see SpanExporter."""
        self.losses.remark = ""
        result = self.exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.losses()
        return result

    def shutdown(self) -> None:
        """Send nothing more; see SpanExporter."""
        self.exporter.shutdown()


class OneTrace(RandomIdGenerator):
    """Makes the identities of one trace's spans."""

    def __init__(self, trace_id: str) -> None:
        self._trace_id = int(trace_id, 16)

    def generate_trace_id(self) -> int:
        """Return the trace's own; see IdGenerator."""
        return self._trace_id


@define(eq=False)
class Tracing:
    """
    A listener that traces a job, and waits at its end until that is sent.

    Attributes:
        spans: Makes the trace.

        provider: Sends it.

        exporter: Is what sends it in the end.

        losses: Is told of what was not sent in time.

        sent: Whether there is nothing left to send.
    """

    spans: Spans
    provider: TracerProvider
    exporter: SpanExporter
    losses: Losses
    sent: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)

    def __call__(self, event: Event) -> None:
        """Make spans of *event*, and send the last ones if it is the end."""
        self.spans(event)
        if isinstance(event, JobEnded):
            self.close(IN_A_HURRY if event.code in _STOPPED else SECONDS)

    def close(self, seconds: float) -> None:
        """Send what is left, for so many *seconds* at most."""
        if self._closed:
            return
        self._closed = True
        # It knows no limit of its own that could be set.
        sending = threading.Thread(
            target=self.provider.shutdown, name="traces", daemon=True
        )
        sending.start()
        sending.join(seconds)
        self.sent = not sending.is_alive()
        if not self.sent:
            self.losses(self.losses.remark or f"no answer in {seconds:g} s")
            self.exporter.shutdown()  # what is left is given up


@contextmanager
def tracing(
    settings: TracesSettings,
    trace_id: str,
    facts: Mapping[str, str],
    hide: Callable[[str], str],
) -> Iterator[Listener]:
    """
    Trace a job as long as this lasts; the value is to hear of everything.

    Args:
        settings: Where to.

        trace_id: The trace's identity; that of the parent, if there is one.

        facts: Attributes that tell this job from others, among them ``version``.

        hide: Takes secrets out of a text.
    """
    losses = Losses(hide(settings.endpoint), hide)
    remarks = Remarks(losses)
    remarks.attach()
    listener: Tracing | None = None
    try:
        exporter = OTLPSpanExporter(endpoint=settings.endpoint)
        provider = TracerProvider(
            resource=_resource(facts.get("version", "")),
            id_generator=OneTrace(trace_id),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(BatchSpanProcessor(Watched(exporter, losses)))
        tracer = provider.get_tracer("streamfit", facts.get("version"))
        spans = Spans(tracer, _parent(settings), facts, hide)
        listener = Tracing(spans, provider, exporter, losses)
        remarks.at_work = True
        yield listener
    finally:
        if listener is not None:
            listener.close(IN_A_HURRY)
        if listener is None or listener.sent:  # else it may yet complain
            remarks.detach()


def _resource(version: str) -> Resource:
    named = OTELResourceDetector().detect().attributes.get("service.name")
    return Resource.create(
        {"service.name": named or "streamfit", "service.version": version}
    )


def _parent(settings: TracesSettings) -> Context:
    if settings.parent is None:
        return Context()
    carrier = {"traceparent": settings.traceparent, "tracestate": settings.tracestate}
    given = {name: value for name, value in carrier.items() if value}
    return TraceContextTextMapPropagator().extract(given, Context())
