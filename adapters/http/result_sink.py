"""Results, of a model or of a chain of them, posted to the back-end."""

from __future__ import annotations

import base64
import contextlib
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import httpx
from attrs import define, field

from adapters.http.client import Refused, Send, check, exchange_all
from adapters.http.progress import Progress
from adapters.http.settings import HttpChainSettings, HttpLimits, HttpSettings
from adapters.http.upload import upload
from adapters.wire.dialect import Dialect
from adapters.wire.result import (
    chain_progress_text,
    chain_result_text,
    result_text,
)
from domain.errors import DeploymentInvalid
from domain.report import ConfusionMatrix, History, TrainingReport

log = logging.getLogger(__name__)

_EMPTY_PICTURE = base64.b64decode(  # one transparent pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6"
    "kgAAAABJRU5ErkJggg=="
)


Files = dict[str, tuple[str, BinaryIO | bytes, str]]
"""File parts by their names: file name, content and type."""


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
        if self._progress is not None and not report.indefinite:
            self._progress.stop()
        data = {"data": result_text(report, self.dialect)}
        picture = self._picture(report)

        pictures: Files = {}
        if picture is not None:
            pictures["confussion_matrix"] = (  # the platform's spelling
                "confusion_matrix.png",
                picture,
                "image/png",
            )
        send = _upload_of(data, model, "trained_model.h5", pictures)
        _deliver([(self.settings, send)], self.settings)

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


@define(eq=False)
class HttpChainSink:
    """
    ResultSink of a chain of sub-models, each of which is a result of the platform.

    There are no confusion matrices: the platform asks for none of a chain.
    """

    settings: HttpChainSettings
    _progress: tuple[Progress, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        beside = (
            Progress.beside(
                settings, functools.partial(chain_progress_text, sub_model=index)
            )
            for index, settings in enumerate(self.settings.each)
        )
        self._progress = tuple(progress for progress in beside if progress is not None)

    def report_progress(self, history: History) -> None:
        """Have every sub-model's own metrics posted by other threads."""
        for progress in self._progress:
            progress.publish(history)

    def deliver(self, report: TrainingReport, model: Path) -> None:
        """
        Post the results after the last progress, one by one; all of them, or all again.

        Args:
            report: Whose metrics are called ``sub-model/metric``.

            model: The folder with ``trained_model_1.h5``, ...
        """
        if not report.indefinite:
            for progress in self._progress:
                progress.end()  # all at once, before one of them is waited for
            for progress in self._progress:
                progress.stop()
        exchanges: list[tuple[HttpSettings, Send]] = []
        for index, settings in enumerate(self.settings.each):
            data = {"data": chain_result_text(report, index)}
            name = f"trained_model_{index + 1}"
            (path,) = model.glob(f"{name}.*")
            exchanges.append((settings, _upload_of(data, path, f"{name}.h5", {})))
        _deliver(exchanges, self.settings)


def _upload_of(
    data: Mapping[str, str], model: Path, name: str, pictures: Files
) -> Send:
    """Return an attempt to post *data* and *model*, under *name*, with *pictures*."""

    async def send(client: httpx.AsyncClient, url: httpx.URL) -> None:
        with model.open("rb") as file:  # afresh for each attempt
            files: Files = {"trained_model": (name, file, "application/octet-stream")}
            request = client.build_request(
                "POST", url, data=data, files=files | pictures
            )
            response = await upload(client, request)
            async with contextlib.aclosing(response):
                await check(response)

    return send


def _deliver(
    exchanges: Sequence[tuple[HttpSettings, Send]], limits: HttpLimits
) -> None:
    try:
        exchange_all(exchanges, patience=limits.streamfit_delivery_deadline)
    except Refused as reason:
        raise DeploymentInvalid(
            f"{reason.place}: the result was refused: {reason}"
        ) from reason
