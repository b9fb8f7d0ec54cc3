"""The real TensorFlow 2.7, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

PYTHON = Path(__file__).parents[2] / ".oracles/tensorflow-2.7/bin/python"
SCRIPT = Path(__file__).parent / "predict.py"


def require() -> None:
    """Skip the test where TensorFlow 2.7 is not, or fail it where it has to be."""
    if not PYTHON.exists():
        reason = "TensorFlow 2.7 is not there: make oracles"
        if os.environ.get("STREAMFIT_REQUIRE_ORACLES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def run(jobs: Sequence[Mapping[str, object]], folder: Path) -> None:
    """Do the *jobs* that predict.py describes, which takes one process."""
    path = folder / "jobs.json"
    path.write_text(json.dumps(jobs))
    done = subprocess.run(
        [PYTHON, SCRIPT, path],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert 0 == done.returncode, done.stderr
