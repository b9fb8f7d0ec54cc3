"""Reports, written to a folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from adapters.report.document import Document
from domain.events import Event, JobEnded

log = logging.getLogger(__name__)


@frozen
class ReportWriter:
    """
    A listener that writes the report once the job has ended, however it did.

    Attributes:
        folder: Where to; made if it is not there.

        document: Says what to write.
    """

    folder: Path
    document: Callable[[], Document]

    def __call__(self, event: Event) -> None:
        """Write it if *event* is the end."""
        if not isinstance(event, JobEnded):
            return
        from adapters.report.page import html  # in memory only when it is needed

        document = self.document()
        name = self.folder / name_of(document)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(name.with_name(f"{name.name}.json"), document.json())
            _write(name.with_name(f"{name.name}.html"), html(document))
        except OSError as reason:
            log.warning(
                "report not written",
                extra={"path": str(name), "reason": str(reason)},
            )
        else:
            log.info("report written", extra={"path": f"{name}.html"})


def name_of(document: Document) -> str:
    """Return what its files are called: when it began, and what was trained."""
    run = document.run
    when = "".join(c for c in run.begun if c.isalnum())
    return f"{when}-{run.identity or 'nothing'}"


def _write(path: Path, text: str) -> None:
    """Write *path* as a whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
