"""A collector of traces: it takes what is sent as OTLP over HTTP, and reads it."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from attrs import define, field, frozen
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

PATH = "/v1/traces"


@frozen
class Event:
    """
    Something that happened within a span.

    Attributes:
        name: What.

        at: When, in nanoseconds since 1970.

        attributes: More about it.
    """

    name: str
    at: int
    attributes: Mapping[str, object]


@frozen
class Span:
    """
    A span as it was sent.

    Attributes:
        name: Its name.

        trace: The identity of its trace, in hexadecimal digits.

        identity: Its own.

        parent: That of the span which it is a part of; empty for none.

        begun: When, in nanoseconds since 1970.

        ended: The same.

        attributes: What is known of it.

        events: What happened within.

        status: The code, and what it says.

        resource: What it is of.
    """

    name: str
    trace: str
    identity: str
    parent: str
    begun: int
    ended: int
    attributes: Mapping[str, object]
    events: tuple[Event, ...]
    status: tuple[int, str]
    resource: Mapping[str, object]


@define
class Collector:
    """
    What has come.

    Attributes:
        url: What OTEL_EXPORTER_OTLP_ENDPOINT is.

        status: What is answered.

        spans: All spans so far.

        headers: Those of every request.

        bodies: The bytes that came.
    """

    url: str = ""
    status: int = 200
    spans: list[Span] = field(factory=list)
    headers: list[Mapping[str, str]] = field(factory=list)
    bodies: list[bytes] = field(factory=list)
    _news: threading.Condition = field(factory=threading.Condition)

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        """Take a request."""
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        with self._news:
            self.headers.append(headers)
            self.bodies.append(body)
            self.spans += _spans(request)
            self._news.notify_all()

    def named(self, name: str) -> list[Span]:
        """Return the spans called *name*, in the order of their beginning."""
        with self._news:
            found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.begun)

    def wait_for(self, name: str, number: int = 1, timeout: float = 60) -> list[Span]:
        """Wait until there are so many spans called *name*, and return them."""
        deadline = time.monotonic() + timeout
        while len(found := self.named(name)) < number:
            left = deadline - time.monotonic()
            assert left > 0, [span.name for span in self.spans]
            with self._news:
                self._news.wait(min(left, 0.2))
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect on a free port of this machine, as long as this lasts."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert PATH == self.path.partition("?")[0]
            assert "application/x-protobuf" == self.headers["Content-Type"]
            collector.take(dict(self.headers), body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(collector.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for of_resource in request.resource_spans:
        resource = _values(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Span(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    _values(span.attributes),
                    tuple(
                        Event(one.name, one.time_unix_nano, _values(one.attributes))
                        for one in span.events
                    ),
                    (span.status.code, span.status.message),
                    resource,
                )


def _values(pairs: Sequence[KeyValue]) -> dict[str, object]:
    return {
        pair.key: cast(
            "object", getattr(pair.value, pair.value.WhichOneof("value") or "")
        )
        for pair in pairs
    }
