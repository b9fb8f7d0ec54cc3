"""``streamfit demo``, the newcomer's first command."""

from __future__ import annotations

import os
import re
import subprocess

import h5py
import pytest

from tests.end_to_end.process import COMMAND


@pytest.mark.parametrize("record_format", ["raw", "avro"])
def test_demo(tmp_path, record_format):
    """It trains on real data, tests at 95 % or more and leaves model and pictures."""
    demo = subprocess.run(
        [COMMAND, "demo", "--format", record_format, "--folder", tmp_path],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert 0 == demo.returncode, demo.stderr
    (accuracy,) = re.findall(r"test \(20%\) .*accuracy (\S+)", demo.stdout)
    assert 0.95 <= float(accuracy)
    with h5py.File(tmp_path / "trained_model.h5") as model:
        assert "model_weights" in model
    for picture in ("confusion_matrix.png", "learning_curves.png"):
        assert b"\x89PNG" == (tmp_path / picture).read_bytes()[:4]
        assert str(tmp_path / picture) in demo.stdout
