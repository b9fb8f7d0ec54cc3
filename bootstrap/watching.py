"""Whoever watches a job: at a terminal, from outside, and in a report at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

from adapters.report.settings import ReportSettings
from adapters.status.settings import PushSettings, StatusSettings
from adapters.traces.settings import TracesSettings
from bootstrap import logs
from bootstrap.listening import Listeners
from bootstrap.phase_board import BOARD
from bootstrap.settings import Settings, load
from bootstrap.tracing import traced
from bootstrap.tracked import tracked
from domain.chronicle import Chronicle
from domain.events import Listener

if TYPE_CHECKING:  # most jobs wait, and save the memory
    from adapters.report.document import Document
    from adapters.report.facts import Facts

REFRESH = 5
"""Seconds after which a browser asks for the live page again."""


def watchers(environ: Mapping[str, str], chronicle: Chronicle) -> Iterator[Listener]:
    """
    Return who is to hear of everything for report and status.

    They show what *chronicle* remembers, which must hear of it first.  What is shown is
    shown until this is closed.
    """
    folder = load(ReportSettings, environ).streamfit_report_dir
    status = load(StatusSettings, environ)
    gateway = load(PushSettings, environ).streamfit_pushgateway

    @cache
    def facts() -> Facts:
        from adapters.kafka.library import librdkafka_version
        from adapters.report.facts import facts_of

        return facts_of(environ, librdkafka=librdkafka_version())

    def labels() -> dict[str, str]:
        version = facts().versions.get("streamfit", "")
        return {"deployment": facts().deployment, "version": version}

    def document() -> Document:
        from adapters.report.making import document

        return document(chronicle.story(), facts())

    def page() -> str:
        from adapters.report.page import html

        return html(document(), REFRESH)

    listeners: list[Listener] = []
    with ExitStack() as shown:
        if folder is not None:
            from adapters.report.writing import ReportWriter

            listeners.append(ReportWriter(folder, document))
        if status.streamfit_status_port is not None:
            from adapters.status.watching import serving

            server = serving(status, chronicle.story, page, labels())
            listeners.append(shown.enter_context(server))
        if load(TracesSettings, environ).wanted:
            traces = traced(environ, labels(), facts().hide)
            listeners.append(shown.enter_context(traces))
        if gateway is not None:
            from adapters.status.pushing import Gateway, Push

            group = Gateway.at(gateway, facts().deployment)
            listeners.append(Push(group, chronicle.story, facts().hide))
        listeners += tracked(environ, facts, document, shown)
        yield Listeners(listeners)


def progress(settings: Settings, chronicle: Chronicle) -> Listener:
    """Return who shows how far the job is: to people at a terminal, or in the log."""
    terminal = logs.terminal() if settings.streamfit_log == "console" else None
    if terminal is None:
        from adapters.progress.lines import ProgressLines

        return ProgressLines(chronicle.story)
    from adapters.progress.terminal import TerminalProgress

    display = TerminalProgress(chronicle.story, terminal, BOARD.drawn)
    logs.write_above(display.above)
    return display
