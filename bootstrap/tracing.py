"""The trace that a job is, for its log and for whoever looks at it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec

from adapters.traces.settings import TracesSettings
from bootstrap.settings import load
from domain.events import Listener, ignore

log = logging.getLogger(__name__)

_PROTOCOL = "http/protobuf"
_EXPORTER = "opentelemetry.exporter.otlp.proto.http"


def trace_id(environ: Mapping[str, str]) -> str | None:
    """
    Return the identity of this job's trace, 32 hexadecimal digits; None without one.

    It is the same whenever it is asked for: a process is one job.
    """
    settings = load(TracesSettings, environ)
    if _hindrance(settings) is not None:
        return None
    return settings.parent or _own()


@contextmanager
def traced(
    environ: Mapping[str, str],
    facts: Mapping[str, str],
    hide: Callable[[str], str],
) -> Iterator[Listener]:
    """
    Trace the job as long as this lasts; if that cannot be, the log says why.

    Args:
        environ: The environment variables, which ask for it.

        facts: Attributes that tell this job from others.

        hide: Takes secrets out of a text.
    """
    settings = load(TracesSettings, environ)
    hindrance = _hindrance(settings)
    listener: Listener = ignore
    with ExitStack() as shown:
        if hindrance is None:
            from adapters.traces.sending import tracing

            identity = settings.parent or _own()
            try:
                listener = shown.enter_context(tracing(settings, identity, facts, hide))
            except Exception as reason:  # noqa: BLE001  # of any of its settings
                hindrance = hide(str(reason))
        if hindrance is not None:
            log.warning("nothing is traced", extra={"reason": hindrance})
        yield listener


def _hindrance(settings: TracesSettings) -> str | None:
    """Say why nothing is traced, if so."""
    if not settings.wanted:
        return "nobody asks for it"
    if settings.protocol != _PROTOCOL:
        return f"only {_PROTOCOL} is spoken: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
    if not _is_installed():
        return "OpenTelemetry is not installed: pip install 'streamfit[otel]'"
    return None


@cache
def _own() -> str:
    return secrets.token_hex(16)


def _is_installed() -> bool:
    try:
        return find_spec(_EXPORTER) is not None
    except ModuleNotFoundError:
        return False
