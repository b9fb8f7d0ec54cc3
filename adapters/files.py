"""The back-end as files: the model from one, results into a folder."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from attrs import frozen

from adapters.wire.dialect import Dialect
from adapters.wire.result import progress_text, result_text
from domain.errors import DeploymentInvalid, ModelInvalid, ServiceError, Unavailable
from domain.report import ConfusionMatrix, History, TrainingReport

log = logging.getLogger(__name__)

T = TypeVar("T")

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
        streamfit_model_file: The untrained model; a SavedModel may be a folder, and a
            chain is one of ``1.h5``, ``2.h5``, ...

        streamfit_result_folder: Gets ``result.json``, ``trained_model.*``,
            ``confusion_matrix.png``, ``learning_curves.png`` and ``progress.json``;
            made if missing.
    """

    streamfit_model_file: Path
    streamfit_result_folder: Path


@frozen
class FilesBackend:
    """
    ModelRepository and ResultSink of one deployment, without a back-end.

    Attributes:
        draw: Makes the confusion matrix's picture.

        draw_curves: Makes the picture of losses and metrics over the epochs.
    """

    settings: FilesSettings
    draw: Callable[[ConfusionMatrix | None], bytes]
    draw_curves: Callable[[History], bytes] | None = None

    @property
    def repeats(self) -> bool:
        """Whether the same weights come every time: a file is what it is."""
        return True

    def fetch(self) -> Path:
        """Return the model's own file or folder, once it has proved to be readable."""
        path = self.settings.streamfit_model_file
        try:
            if path.is_dir():  # a SavedModel
                next(path.iterdir(), None)
            else:
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
        """Write the model, the pictures and, once they are there, ``result.json``."""
        pictures = {
            "confusion_matrix.png": self._picture(self.draw, report.confusion_matrix),
            "learning_curves.png": self._picture(self.draw_curves, report.history),
        }
        folder = self.settings.streamfit_result_folder
        try:
            chain = model.is_dir()  # of sub-models, which have names already
            for path in sorted(model.iterdir()) if chain else [model]:
                name = path.name if chain else f"trained_model{path.suffix}"
                with path.open("rb") as content:
                    self._write(name, content)
            for name, picture in pictures.items():
                if picture is None:  # an earlier run's must not pass for this one's
                    (folder / name).unlink(missing_ok=True)
                else:
                    self._write(name, picture)
            text = result_text(report, Dialect.CURRENT)
            self._write("result.json", text.encode())
        except OSError as reason:
            raise _in_our_terms(reason, folder, DeploymentInvalid) from reason

    @staticmethod
    def _picture(draw: Callable[[T], bytes] | None, shown: T | None) -> bytes | None:
        if draw is None or shown is None:
            return None
        try:
            return draw(shown)
        except Exception:  # a picture must not cost the result
            log.warning("picture not drawn", exc_info=True)
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
