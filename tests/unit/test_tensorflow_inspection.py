"""Model files, looked into by a process of its own; see also the contract."""

from __future__ import annotations

import os
import sys

import pytest

from adapters.tensorflow import ModelSettings
from adapters.tensorflow.describing import describe
from adapters.tensorflow.inspection import inspect
from domain.errors import ModelInvalid, Unavailable
from tests.models import model_file


@pytest.fixture
def ended_by(tmp_path, monkeypatch):
    """Return how to have the process end as told instead of looking."""

    def end(how):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{how}\n")
        program.chmod(0o700)
        monkeypatch.setattr(sys, "executable", os.fspath(program))

    return end


@pytest.fixture(params=[inspect, describe])
def look(request):
    """What looks into a model file: for the job, and for people."""
    return request.param


def test_good():
    """A model that can be trained passes."""
    inspect(model_file("digits"), ModelSettings())


def test_refused(tmp_path):
    """The reason comes back as it was, whatever it quotes."""
    path = tmp_path / "model"
    path.write_text("Zugriff verweigert: ä")

    with pytest.raises(ModelInvalid, match="Zugriff verweigert: ä"):
        inspect(path, ModelSettings())


def test_settings_go_along():
    """What the settings allow is allowed there, too."""
    settings = ModelSettings(
        streamfit_optimizer="adam", streamfit_loss="mse", streamfit_metrics=("mae",)
    )

    inspect(model_file("uncompiled"), settings)


def test_crash(look, ended_by):
    """A file that crashes its reader is refused, and the job lives."""
    ended_by("kill -SEGV $$")

    with pytest.raises(ModelInvalid, match="SIGSEGV"):
        look(model_file("digits"), ModelSettings())


def test_killed(look, ended_by):
    """A reader that was killed says nothing about the file."""
    ended_by("kill -KILL $$")

    with pytest.raises(Unavailable, match="SIGKILL"):
        look(model_file("digits"), ModelSettings())


def test_bug(look, ended_by):
    """Any other end is a bug, and its traceback is told."""
    ended_by("echo NameError >&2; exit 1")

    with pytest.raises(RuntimeError, match="NameError"):
        look(model_file("digits"), ModelSettings())


def test_no_end(look, ended_by, monkeypatch):
    """What does not come to an end is not waited for."""
    ended_by("exec sleep 60")
    monkeypatch.setattr("adapters.tensorflow.looking._PATIENCE", 0.2)

    with pytest.raises(Unavailable, match=r"took more than 0\.2 seconds"):
        look(model_file("digits"), ModelSettings())
