"""Servers that MLflow's client cannot talk to, which costs the job nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.report.masking import hidden
from adapters.tracking import library
from adapters.tracking.listening import About, tracking
from adapters.tracking.sending import AFTER_SIGNAL
from adapters.tracking.settings import MlflowSettings
from domain.events import (
    EpochEnded,
    JobEnded,
    ResultDelivered,
    RunBegan,
)
from domain.phases import Phase
from domain.report import EpochMetrics
from tests import stories
from tests.scripted_server import ScriptedServer, closed_port, send

SECRET = "c4n4ry-in-a-c0al-mine"
PATIENCE = 60.0
EPOCHS = [EpochEnded(n, EpochMetrics({"loss": 0.5})) for n in range(1, 4)]


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    """Leave the variables as they were that the library is given."""
    for name in library.SWITCHES:
        monkeypatch.setenv(name, "")
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setitem(os.environ, name, "")
        del os.environ[name]


def track(url, *events, patience=PATIENCE, code=0):
    """Track a job, and return the seconds that its end took."""
    about = About("7", {}, {}, dict, lambda text: hidden(text, [SECRET]))
    settings = MlflowSettings(url, streamfit_mlflow_patience=patience)
    with tracking(settings, about, resumes=False) as listener:
        for event in (RunBegan(stories.IDENTITY, stories.request()), Phase.READING):
            listener(event)
        for event in (*EPOCHS, *events):
            listener(event)
        began = time.monotonic()
        listener(JobEnded(code))
        return time.monotonic() - began


def base(url):
    return url.removesuffix("/results/3")


def answer(status, body=b"{}"):
    return send(
        b"HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)
    )


def only_warning(caplog):
    (line,) = [r for r in caplog.records if r.levelname in {"WARNING", "ERROR"}]
    assert "not everything is tracked" == line.message
    return line.reason


def test_nobody_listens(caplog):
    """One warning, and an end that does not wait for ever."""
    with closed_port() as url:
        seconds = track(base(url))

    assert "refused" in only_warning(caplog)
    assert seconds < PATIENCE


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_not_well(status, caplog):
    """A server that is not well is asked again, a few times."""
    with ScriptedServer(answer(status)) as server:
        seconds = track(base(server.url))

    assert str(status) in only_warning(caplog)
    assert 1 < len(server.requests) < 10
    assert seconds < PATIENCE


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_not_taken(status, caplog):
    """What is refused is not tried again."""
    body = b'{"error_code": "PERMISSION_DENIED", "message": "not for you"}'
    with ScriptedServer(answer(status, body)) as server:
        track(base(server.url))

    reason = only_warning(caplog)
    assert "not for you" in reason
    assert len(server.requests) <= 3  # to look for the experiment, and to make it


def test_no_mlflow_at_all(caplog):
    """A server of something else."""
    with ScriptedServer(send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) as one:
        track(base(one.url))

    assert only_warning(caplog)


@pytest.mark.parametrize("act", ["hang", "drip"])
@pytest.mark.parametrize("code", [0, 143])
def test_never_answers(act, code, caplog, tmp_path):
    """The end waits as long as was said, and not even that after a signal."""
    model = tmp_path / "trained.h5"
    model.touch()
    patience = 0.5 if code == 0 else PATIENCE

    with ScriptedServer(getattr(ScriptedServer, act)) as server:
        seconds = track(
            base(server.url),
            ResultDelivered(stories.report(), model),
            patience=patience,
            code=code,
        )

    assert "were not enough" in only_warning(caplog) or "timed out" in caplog.text
    assert seconds < (patience if code == 0 else AFTER_SIGNAL) + 10
    assert [] == list(Path(os.environ["TMPDIR"]).glob("streamfit-tracking-*"))


def test_secrets(caplog):
    """Neither a password in the address nor what a server echoes is in the log."""
    body = b'{"error_code": "X", "message": "bad token %s"}' % SECRET.encode()
    with ScriptedServer(answer(403, body)) as server:
        track(base(server.url).replace("//", f"//user:{SECRET}@"))
    with closed_port() as url:
        track(base(url).replace("//", f"//user:{SECRET}@"))

    assert 2 == len(caplog.records) - len(
        [r for r in caplog.records if r.levelname == "INFO"]
    )
    shown = [f"{record.__dict__}" for record in caplog.records]
    assert [] == [text for text in shown if SECRET in text]


@pytest.mark.parametrize("uri", ["databricks", "bogus://x", "sqlite:////nowhere/x.db"])
def test_other_stores(uri, caplog):
    """What the installed library does not know, or cannot do, is said in its words."""
    track(uri)

    assert only_warning(caplog)


def test_later_there(caplog):
    """Nothing is lost while a server is away for a moment."""
    found = answer(200, b'{"experiment": {"experiment_id": "1"}}')
    with ScriptedServer(answer(503), answer(503), found) as server:
        track(base(server.url))

    assert "503" in only_warning(caplog)
    asked = [request.split(b" ")[1].split(b"?")[0] for request in server.requests]
    assert b"/api/2.0/mlflow/runs/create" in asked


def test_the_users_limits(monkeypatch):
    """What users say of the library's requests counts."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with ScriptedServer(answer(500)) as server:
        track(base(server.url))

    assert 2 * 3 == len(server.requests)
    assert "1" == os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]


def test_artifacts_of_the_servers_own(caplog, tmp_path):
    """A server that keeps artifacts in a folder of its machine gets none."""
    model = tmp_path / "trained.h5"
    model.touch()
    run = (
        b'{"experiment": {"experiment_id": "1"}, "run": {"info": {"run_id": "abc", '
        b'"status": "RUNNING", "artifact_uri": "%s/artifacts"}, "data": {}}}'
        % bytes(tmp_path)
    )
    with ScriptedServer(answer(200, run)) as server:
        track(base(server.url), ResultDelivered(stories.report(), model))

    assert "--serve-artifacts" in only_warning(caplog)
    assert not (tmp_path / "artifacts").exists()


def test_no_room_for_the_model(caplog, tmp_path):
    """A model that is gone, or cannot be kept, is said, and nothing else is lost."""
    with ScriptedServer(answer(403)) as server:
        track(base(server.url), ResultDelivered(stories.report(), tmp_path / "gone"))

    assert "trained model is not tracked" in caplog.messages


def test_another_device(monkeypatch, tmp_path):
    """Where there are no links between two folders, the model is copied."""

    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    model = tmp_path / "trained.h5"
    model.write_bytes(b"weights")
    with ScriptedServer(ScriptedServer.hang) as server:
        settings = MlflowSettings(base(server.url))
        with tracking(settings, About("7", {}, {}, dict), resumes=False) as listener:
            for event in (RunBegan(stories.IDENTITY, stories.request()), Phase.READING):
                listener(event)
            listener(ResultDelivered(stories.report(), model))
            model.unlink()

            (path,) = listener.folder.glob("*/*")
            assert ("trained_model.h5", b"weights") == (path.name, path.read_bytes())
            assert not list(tmp_path.iterdir())


def test_nothing_is_imported_before():
    """A job that nobody tracks, and one that waits, do without the library."""
    program = (
        "import sys\n"
        "import bootstrap.container\n"
        "from adapters.tracking.listening import About, tracking\n"
        "from adapters.tracking.settings import MlflowSettings\n"
        "from domain.events import JobEnded\n"
        "settings = MlflowSettings('http://127.0.0.1:1')\n"
        "with tracking(settings, About('7', {}, {}, dict), resumes=False) as told:\n"
        "    told(JobEnded(143))\n"
        "assert 'mlflow' not in sys.modules\n"
    )

    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)

    assert 0 == done.returncode


def test_no_word_to_anybody_else():
    """The library is told to send nothing about its use."""
    program = (
        "from adapters.tracking import library\n"
        "library.client('http://127.0.0.1:1', 30)\n"
        "from mlflow.telemetry import get_telemetry_client\n"
        "assert get_telemetry_client() is None\n"
    )
    # It is silent by itself where it sees tests or a CI at work.
    environ = {name: os.environ[name] for name in ("PATH", "HOME")}

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environ, "MLFLOW_DISABLE_TELEMETRY": "false"},
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode
