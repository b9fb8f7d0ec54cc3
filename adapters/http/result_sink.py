"""Results, posted to the back-end."""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx
from attrs import define, field

from adapters.http.client import Refused, check, exchange
from adapters.http.progress import Progress
from adapters.http.settings import HttpSettings
from adapters.http.upload import upload
from adapters.wire.dialect import Dialect
from adapters.wire.result import result_text
from domain.errors import DeploymentInvalid
from domain.report import ConfusionMatrix, History, TrainingReport

log = logging.getLogger(__name__)

_EMPTY_PICTURE = base64.b64decode(  # one transparent pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6"
    "kgAAAABJRU5ErkJggg=="
)


@define(eq=False)
class HttpResultSink:
    """
    ResultSink of one result of the platform.

    Attributes:
        dialect: The platform's version; that of 2020 knows no progress.

        draw: Makes the confusion matrix's picture, or one for there being none.

        wants_confusion_matrix: Whether the platform insists on that picture.
    """

    settings: HttpSettings
    dialect: Dialect
    draw: Callable[[ConfusionMatrix | None], bytes]
    wants_confusion_matrix: bool = False
    _progress: Progress | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        current = self.dialect is Dialect.CURRENT
        self._progress = Progress.beside(self.settings) if current else None

    def report_progress(self, history: History) -> None:
        """Have *history* posted by another thread."""
        if self._progress is not None:
            self._progress.publish(history)

    def deliver(self, report: TrainingReport, model: Path) -> None:
        """Post the result, after the last progress."""
        if self._progress is not None:
            self._progress.stop()
        data = {"data": result_text(report, self.dialect)}
        picture = self._picture(report)

        async def send(client: httpx.AsyncClient, url: httpx.URL) -> None:
            with model.open("rb") as file:  # afresh for each attempt
                files: dict[str, tuple[str, BinaryIO | bytes, str]] = {
                    "trained_model": (
                        "trained_model.h5",
                        file,
                        "application/octet-stream",
                    )
                }
                if picture is not None:
                    files["confussion_matrix"] = (  # the platform's spelling
                        "confusion_matrix.png",
                        picture,
                        "image/png",
                    )
                request = client.build_request("POST", url, data=data, files=files)
                response = await upload(client, request)
                async with contextlib.aclosing(response):
                    await check(response)

        try:
            exchange(
                self.settings,
                send,
                patience=self.settings.streamfit_delivery_deadline,
            )
        except Refused as reason:
            raise DeploymentInvalid(
                f"{self.settings.place}: the result was refused: {reason}"
            ) from reason

    def _picture(self, report: TrainingReport) -> bytes | None:
        """Return the picture without which the platform would refuse the result."""
        wanted = self.dialect is Dialect.CURRENT and self.wants_confusion_matrix
        if not (wanted and report.test):
            return None
        if report.confusion_matrix is None:
            log.warning("no confusion matrix for this model: a placeholder is sent")
        try:
            return self.draw(report.confusion_matrix)
        except Exception:  # a picture must not cost the result
            log.warning("confusion matrix not drawn", exc_info=True)
            return _EMPTY_PICTURE
