"""What a job that nobody tracks has in its memory."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import bootstrap.container
print(*sorted(set(sys.argv[1:]) & set(sys.modules)))
import fastapi
print(fastapi.__name__)
"""
HEAVY = (
    *("fastapi", "starlette", "werkzeug"),
    *("mlflow", "opentelemetry", "tensorflow", "keras", "matplotlib", "pandas"),
)


def test_light():
    """The wiring brings none of what only some jobs need; whoever needs it gets it."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *HEAVY],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert ["", "fastapi"] == done.stdout.splitlines()


@pytest.mark.parametrize("name", HEAVY[:3])
def test_they_are_there(name):
    """Else there would be nothing to keep away."""
    importlib.import_module(name)
