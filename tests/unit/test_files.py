"""The back-end as files; see also the contracts."""

from __future__ import annotations

import pytest
from attrs import evolve

from adapters.files import FilesBackend, FilesSettings
from domain.errors import DeploymentInvalid
from tests.contracts.result_sink import HISTORY, REPORT

LEAST = {"result.json", "trained_model.keras"}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "trained.keras"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results"


def backend(folder, draw=lambda _: b"picture", draw_curves=lambda _: b"curves"):
    return FilesBackend(FilesSettings(folder / "model.h5", folder), draw, draw_curves)


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_folder(folder):
    """A model may be a folder."""
    (folder / "model.h5").mkdir(parents=True)

    assert folder / "model.h5" == backend(folder).fetch()


def test_files(folder, model):
    """A result is four files, and no half-written ones."""
    backend(folder).deliver(REPORT, model)

    assert {*LEAST, "confusion_matrix.png", "learning_curves.png"} == names(folder)
    assert b"picture" == (folder / "confusion_matrix.png").read_bytes()


def test_curves(folder, model):
    """The curves are those of the epochs reported."""
    backend(folder, draw_curves=lambda history: repr(history).encode()).deliver(
        REPORT, model
    )

    assert repr(HISTORY) == (folder / "learning_curves.png").read_text()


def test_no_stale_picture(folder, model):
    """A result without confusion matrix does not keep an earlier one's."""
    backend(folder).deliver(REPORT, model)
    backend(folder).deliver(evolve(REPORT, confusion_matrix=None), model)

    assert {*LEAST, "learning_curves.png"} == names(folder)


def test_drawing_fails(folder, model, caplog):
    """A picture that cannot be drawn does not cost the result."""

    def broken(_):
        raise OSError("no room for fonts")

    backend(folder, broken, broken).deliver(REPORT, model)

    assert LEAST == names(folder)
    assert "no room for fonts" in caplog.text


def test_progress_that_cannot_be_written(folder, caplog):
    """Progress never raises; the log tells why there is none."""
    folder.touch()

    backend(folder).report_progress(HISTORY)

    assert ["progress not published"] == caplog.messages
    assert "results" in caplog.records[0].reason


def test_half_a_result_is_none(folder, model):
    """result.json is last: where it is, the rest is."""
    (folder / "trained_model.keras").mkdir(parents=True)

    with pytest.raises(DeploymentInvalid, match=r"trained_model\.keras"):
        backend(folder).deliver(REPORT, model)

    assert {"trained_model.keras"} == names(folder)
