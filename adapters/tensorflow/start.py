"""TensorFlow's import, which takes seconds, and may run beside other work."""

from __future__ import annotations

import logging
import os
import threading

from adapters.tensorflow.native import remarks_logged

log = logging.getLogger(__name__)

_alone = threading.Lock()


def begin() -> None:
    """
    Start the import on a thread of its own, and return at once.

    If it fails there, it fails again in `devices`, which says so.
    """
    # No daemon: a process that ends in the middle of native code would crash.
    threading.Thread(target=_try, name="import").start()


def devices() -> list[str]:
    """Return TensorFlow's devices, once it is there: the start begun, or one anew."""
    with _alone:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
        # TensorFlow looks where its Keras is, and would import Keras 3 for that, with
        # all that it finds beside it: scikit-learn, SciPy, Matplotlib.  Models of
        # Keras 3 get it all the same.
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
        with remarks_logged():
            import tensorflow as tf

            return [device.name for device in tf.config.list_logical_devices()]


def _try() -> None:
    try:
        devices()
    except Exception:
        log.debug("the import beside other work failed", exc_info=True)
