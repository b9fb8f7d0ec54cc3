"""What training runs on, and where its random numbers start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

from domain.errors import SettingsInvalid

_VARIABLE = "STREAMFIT_REQUIRE_GPU"
_NONE = 3
_LOOK = f"""
import tensorflow as tf
raise SystemExit(0 if tf.config.list_physical_devices("GPU") else {_NONE})
"""
_PATIENCE = 300  # seconds; the first start on a new kind of GPU compiles its kernels


def look_for_gpu() -> None:
    """
    Look for a GPU before there is anything to train on.

    In a process of its own, which takes seconds, but gives its memory back.

    Raises:
        SettingsInvalid: There is none, or TensorFlow cannot use it.
    """
    try:
        look = subprocess.run(  # noqa: S603  # our own words
            [sys.executable, "-c", _LOOK],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired as late:
        raise SettingsInvalid(
            f"{_VARIABLE}: TensorFlow did not start in {_PATIENCE:g} seconds"
        ) from late
    if look.returncode == _NONE:
        raise SettingsInvalid(f"{_VARIABLE}: TensorFlow finds no GPU that it can use")
    if look.returncode:
        last = look.stderr.strip().rpartition("\n")[2]
        raise SettingsInvalid(f"{_VARIABLE}: TensorFlow does not start: {last}")


def require_gpu(devices: Iterable[str]) -> None:
    """
    Return if there is a GPU among *devices*, by TensorFlow's names.

    Raises:
        SettingsInvalid: There is none.
    """
    found = list(devices)
    if not any(":GPU:" in device for device in found):
        raise SettingsInvalid(f"{_VARIABLE}: no GPU, only {', '.join(found)}")


def seed_everything(seed: int) -> None:
    """Let all random numbers of Python, NumPy, TensorFlow and Keras start at *seed*."""
    import keras
    import tf_keras

    # Else its random layers have their state in kernels, where none can be read.
    tf_keras.backend.experimental.enable_tf_random_generator()
    for engine in (keras, tf_keras):  # before a model is loaded: its layers draw then
        engine.utils.set_random_seed(seed)
