"""What a job leaves behind for whoever looks why it ended."""

from __future__ import annotations

import json
import signal

import pytest

from bootstrap.main import EXIT_CODES
from bootstrap.termination import HINTS
from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits
from tests.models import model_file


@pytest.fixture
def offline(tmp_path):
    """The variables of a job that needs nobody, and finds nothing to do."""
    return {
        "DEPLOYMENT_ID": "7",
        "BATCH": "16",
        "CASE": "1",
        "STREAMFIT_BROKER": "memory",
        "STREAMFIT_BACKEND": "file",
        "STREAMFIT_ENGINE": "fake",
        "STREAMFIT_MODEL_FILE": str(model_file("digits")),
        "STREAMFIT_RESULT_FOLDER": str(tmp_path / "result"),
        "STREAMFIT_TERMINATION_LOG": str(tmp_path / "termination"),
    }


def last_word(tmp_path):
    return json.loads((tmp_path / "termination").read_text())


@pytest.mark.kafka
def test_success(tmp_path, backend, sender, variables):
    """Rows, loss and time, with code 0."""
    ranges = sender.send(raw(*digits(40)))
    sender.announce(message(ranges, 40, test_rate=0, input_config=RAW_DIGITS))

    job = run(
        {
            **variables,
            "RESULT_URL": backend.url,
            "STREAMFIT_ENGINE": "fake",
            "STREAMFIT_TERMINATION_LOG": str(tmp_path / "termination"),
        }
    )

    assert 0 == job.process.returncode
    (result,) = backend.results
    assert {
        "code": 0,
        "rows": 40,
        "loss": result["train_metrics"]["loss"][-1],
    } == {name: last_word(tmp_path)[name] for name in ("code", "rows", "loss")}
    assert last_word(tmp_path)["time"] >= 0


def test_unavailable(tmp_path, offline):
    """A failure: its code, class, message, place and a hint."""
    job = run(offline)

    assert 75 == job.process.returncode
    word = last_word(tmp_path)
    assert (75, "Unavailable") == (word["code"], word["class"])
    assert "the control topic ended" == word["message"]
    assert "restart" in word["hint"]


def test_settings(tmp_path, offline):
    """A variable that is wrong is the place."""
    job = run({**offline, "BATCH": "none"})

    assert 78 == job.process.returncode
    word = last_word(tmp_path)
    assert (78, "SettingsInvalid", "BATCH") == (
        word["code"],
        word["class"],
        word["place"],
    )


@pytest.mark.kafka
def test_stopped(tmp_path, backend, variables):
    """A job that was told to stop says so."""
    path = tmp_path / "termination"
    with running(
        {
            **variables,
            "RESULT_URL": backend.url,
            "STREAMFIT_TERMINATION_LOG": str(path),
        }
    ) as job:
        job.wait_for("waiting for a control message")
        job.process.send_signal(signal.SIGTERM)
        job.wait()

    assert (143, "Stopped") == (
        last_word(tmp_path)["code"],
        last_word(tmp_path)["class"],
    )


def test_unwritable(offline):
    """A file that cannot be written changes nothing about the end."""
    job = run({**offline, "STREAMFIT_TERMINATION_LOG": "/proc/nothing/here"})

    assert 75 == job.process.returncode
    (line,) = job.logged("termination message not written")
    assert "/proc/nothing/here" == line["path"]


def test_hints():
    """Every kind of error that has an exit code has a hint."""
    assert list(EXIT_CODES) == list(HINTS)


@pytest.mark.kafka
def test_ctrl_c(backend, variables):
    """Ctrl-C ends the job like SIGTERM, with its own code and without a traceback."""
    with running({**variables, "RESULT_URL": backend.url}) as job:
        job.wait_for("waiting for a control message")
        job.process.send_signal(signal.SIGINT)
        code = job.wait()

    assert 130 == code
    assert [] == job.foreign
