"""Model files, described by a process of its own; see also the contract."""

from __future__ import annotations

import os
import sys

import pytest

from adapters.tensorflow import ModelSettings
from adapters.tensorflow.describing import describe
from adapters.tensorflow.files.ends import ends
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


def test_crash(ended_by):
    """A file that crashes its reader does not take us along."""
    ended_by("kill -SEGV $$")

    with pytest.raises(ModelInvalid, match="ended with -11"):
        describe(model_file("digits"), ModelSettings())


def test_no_end(ended_by, monkeypatch):
    """What does not come to an end is not waited for."""
    ended_by("exec sleep 60")
    monkeypatch.setattr("adapters.tensorflow.looking._PATIENCE", 0.2)

    with pytest.raises(Unavailable, match=r"took more than 0\.2 seconds"):
        describe(model_file("digits"), ModelSettings())


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({"batch_input_shape": [None, 28, None, 1]}, (28, None, 1)),
        ({"batch_shape": [32, 4]}, (4,)),
        ({"batch_shape": [None]}, ()),
        ({"batch_shape": []}, None),
        ({"batch_shape": [None, "4"]}, None),
        ({"batch_shape": {"x": [None, 4]}}, None),
        ({"units": 3}, None),
    ],
)
def test_shape(config, shape):
    """The shape is that of the first layer, where it is told as Keras tells it."""
    layer = {"class_name": "Dense", "config": {"name": "first", **config}}

    assert shape == ends({"config": {"name": "m", "layers": [layer]}}).shape
