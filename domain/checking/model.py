"""Whether there is a model to train."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from domain.checking.findings import Finding, Findings, not_checked, ok
from domain.errors import ModelInvalid, ServiceError, Unavailable
from ports import ModelPart, ModelReader, ModelRepository, Trainer

Shape = tuple[int | None, ...]


@frozen
class ModelChecked:
    """
    What was found.

    Attributes:
        findings: It.

        size: Bytes of the model; 0 if there is none.

        takes: Shape of one example, None for an axis of any length; None where it is
            not told.
    """

    findings: tuple[Finding, ...]
    size: int = 0
    takes: Shape | None = None


@frozen
class CheckModel:
    """
    Fetches the model and looks into it, as the job does before it waits.

    Attributes:
        place: Where it is, for people.

        reader: Tells what it is; None if nobody can.
    """

    place: str
    model_repository: ModelRepository
    trainer: Trainer
    reader: ModelReader | None

    def run(self) -> ModelChecked:
        """Return what the job would find."""
        findings = Findings()
        path = findings.ask("back-end", self.model_repository.fetch, _fetching_fix)
        if path is None:
            findings.add(not_checked("model", "there is none from the back-end"))
            return ModelChecked(tuple(findings.found))
        size = _size(path)
        findings.add(ok("back-end", f"{self.place}: a model of {size:,} bytes"))
        if (
            findings.ask("model", lambda: self.trainer.inspect(path), _model_fix)
            is None
        ):
            return ModelChecked(tuple(findings.found), size)
        parts = self._parts(path, findings)
        return ModelChecked(
            tuple(findings.found), size, parts[0].takes if parts else None
        )

    def _parts(self, path: Path, findings: Findings) -> tuple[ModelPart, ...]:
        reader = self.reader
        if reader is None:
            findings.add(
                ok("model", "it can be trained; the engine tells no more of it")
            )
            return ()
        parts = findings.ask("model", lambda: reader.describe(path), _model_fix) or ()
        for number, part in enumerate(parts, 1):
            subject = f"sub-model {number}" if len(parts) > 1 else "model"
            findings.add(ok(subject, _told(part)))
        return parts


def _told(part: ModelPart) -> str:
    size = "" if part.size is None else f", {part.size:,} bytes"
    compiled = "compiled" if part.compiled else "not compiled: the variables do it"
    takes = "" if part.takes is None else f", takes {shape_text(part.takes)}"
    return f"{part.kind}{size}, {compiled}{takes}"


def shape_text(shape: Shape) -> str:
    """Return *shape* for people: ``(28, any, 1)``."""
    axes = ", ".join("any" if axis is None else str(axis) for axis in shape)
    return f"({axes},)" if len(shape) == 1 else f"({axes})"


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _fetching_fix(error: ServiceError) -> str:
    if isinstance(error, Unavailable):
        return (
            "see that the back-end answers at RESULT_URL from here; a slow one needs a "
            "longer --timeout"
        )
    if isinstance(error, ModelInvalid):
        return (
            "check RESULT_URL (its number, user and password), and the model's code at "
            "the platform"
        )
    return "check RESULT_URL and what the back-end allows"


def _model_fix(error: ServiceError) -> str:
    if isinstance(error, Unavailable):
        return "try again: looking into the model was broken off"
    if isinstance(error, ModelInvalid):
        return "save another model, see docs/models.md"
    return "set the variable otherwise"
