"""Where traces go, as OpenTelemetry says it."""

from __future__ import annotations

import re

from attrs import field, frozen

_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})"
    r"-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)


@frozen
class TracesSettings:
    """
    Where traces go.

    These are OpenTelemetry's own variables, and its SDK reads more of them: time-outs,
    certificates, the service's name, the sampler.  Other people set them for whole
    clusters, so none of them is ever a reason not to train.

    Attributes:
        otel_exporter_otlp_endpoint: Address of a collector that speaks OTLP over HTTP,
            to which ``/v1/traces`` is added.  Without it or the next one, nothing is
            traced.

        otel_exporter_otlp_traces_endpoint: The same for traces alone, taken as it is.

        otel_exporter_otlp_headers: Headers of every request, as ``name=value``,
            separated by commas; never shown.

        otel_exporter_otlp_traces_headers: The same for traces alone.

        otel_exporter_otlp_protocol: Only ``http/protobuf`` is spoken: with another one,
            a warning says so and nothing is traced.

        otel_exporter_otlp_traces_protocol: The same for traces alone.

        otel_traces_exporter: Nothing is traced without ``otlp`` among these.

        otel_sdk_disabled: Nothing is traced with ``true``.

        traceparent: The span that the job is a part of, as W3C writes it; the job
            begins a trace of its own without one.

        tracestate: What belongs to that.
    """

    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_traces_endpoint: str | None = None
    otel_exporter_otlp_headers: str | None = field(default=None, repr=False)
    otel_exporter_otlp_traces_headers: str | None = field(default=None, repr=False)
    otel_exporter_otlp_protocol: str = "http/protobuf"
    otel_exporter_otlp_traces_protocol: str | None = None
    otel_traces_exporter: str = "otlp"
    otel_sdk_disabled: str = "false"
    traceparent: str | None = None
    tracestate: str | None = None

    @property
    def endpoint(self) -> str:
        """Where traces are sent to; empty for nowhere."""
        if self.otel_exporter_otlp_traces_endpoint:
            return self.otel_exporter_otlp_traces_endpoint
        base = self.otel_exporter_otlp_endpoint
        return f"{base.removesuffix('/')}/v1/traces" if base else ""

    @property
    def protocol(self) -> str:
        """What the collector is said to speak."""
        return self.otel_exporter_otlp_traces_protocol or (
            self.otel_exporter_otlp_protocol
        )

    @property
    def wanted(self) -> bool:
        """Whether anything is to be traced."""
        exporters = {one.strip() for one in self.otel_traces_exporter.split(",")}
        disabled = self.otel_sdk_disabled.lower() == "true"
        return bool(self.endpoint) and "otlp" in exporters and not disabled

    @property
    def parent(self) -> str | None:
        """The trace that the job is a part of, if it is one: 32 hexadecimal digits."""
        found = _TRACEPARENT.fullmatch(self.traceparent or "")
        if found is None or (found["version"] == "00" and found["more"]):
            return None
        return found["trace"]
