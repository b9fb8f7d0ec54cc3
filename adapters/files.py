"""The back-end as files: the model from one, results into a folder."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from adapters.wire.dialect import Dialect
from adapters.wire.result import progress_text, result_text
from domain.errors import DeploymentInvalid, ModelInvalid, ServiceError, Unavailable
from domain.report import ConfusionMatrix, History, TrainingReport

log = logging.getLogger(__name__)

_FOR_GOOD = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""What only another path or other permissions can mend; a full disk is not here."""


@frozen
class FilesSettings:
    """
    Where the files are.

    Attributes:
        streamfit_model_file: The untrained model.

        streamfit_result_folder: Gets ``result.json``, ``trained_model.*``,
            ``confusion_matrix.png`` and ``progress.json``; made if missing.
    """

    streamfit_model_file: Path
    streamfit_result_folder: Path


@frozen
class FilesBackend:
    """
    ModelRepository and ResultSink of one deployment, without a back-end.

    Attributes:
        draw: Makes the confusion matrix's picture.
    """

    settings: FilesSettings
    draw: Callable[[ConfusionMatrix | None], bytes]

    def fetch(self) -> Path:
        """Return the model's own file, once it has proved to be readable."""
        path = self.settings.streamfit_model_file
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as reason:
            raise _in_our_terms(reason, path, ModelInvalid) from reason
        return path

    def report_progress(self, history: History) -> None:
        """Write ``progress.json``."""
        try:
            self._write("progress.json", progress_text(history).encode())
        except OSError as reason:
            log.warning("progress not published", extra={"reason": str(reason)})

    def deliver(self, report: TrainingReport, model: Path) -> None:
        """Write the model, the picture and, once they are there, ``result.json``."""
        picture = self._picture(report.confusion_matrix)
        folder = self.settings.streamfit_result_folder
        try:
            with model.open("rb") as content:
                self._write(f"trained_model{model.suffix}", content)
            if picture is None:  # an earlier run's must not pass for this one's
                (folder / "confusion_matrix.png").unlink(missing_ok=True)
            else:
                self._write("confusion_matrix.png", picture)
            text = result_text(report, Dialect.CURRENT)
            self._write("result.json", text.encode())
        except OSError as reason:
            raise _in_our_terms(reason, folder, DeploymentInvalid) from reason

    def _picture(self, matrix: ConfusionMatrix | None) -> bytes | None:
        if matrix is None:
            return None
        try:
            return self.draw(matrix)
        except Exception:  # a picture must not cost the result
            log.warning("confusion matrix not drawn", exc_info=True)
            return None

    def _write(self, name: str, content: bytes | BinaryIO) -> None:
        """Replace the file *name* at once, so that nobody reads half of it."""
        folder = self.settings.streamfit_result_folder
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{name}.{os.getpid()}.part"
        try:
            with part.open("wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    shutil.copyfileobj(content, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(folder / name)
        finally:
            part.unlink(missing_ok=True)


def _in_our_terms(
    reason: OSError, path: Path, for_good: type[DeploymentInvalid]
) -> ServiceError:
    kind = for_good if isinstance(reason, _FOR_GOOD) else Unavailable
    return kind(f"{reason.filename or path}: {reason.strerror or reason}")
