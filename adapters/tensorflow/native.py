"""What TensorFlow's native code says while it starts, as log records."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

_STANDARD_ERROR = 2


@contextmanager
def remarks_logged() -> Iterator[None]:
    """
    Keep native code from writing to standard error; log at debug level what it wrote.

    Until it has read its own settings, TensorFlow says where its drivers are, or are
    not, and breaks a log of JSON lines with it.  If the start fails, its remarks are
    the explanation, and are logged as errors.
    """
    with tempfile.TemporaryFile() as remarks:
        standard_error = os.dup(_STANDARD_ERROR)
        os.dup2(remarks.fileno(), _STANDARD_ERROR)
        level = logging.ERROR
        try:
            yield
            level = logging.DEBUG
        finally:
            os.dup2(standard_error, _STANDARD_ERROR)
            os.close(standard_error)
            remarks.seek(0)
            for line in remarks:
                text = line.decode(errors="replace").rstrip()
                log.log(level, "native remark", extra={"remark": text})
