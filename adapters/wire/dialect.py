"""Which version of the platform the job talks to."""

from __future__ import annotations

import enum


class Dialect(enum.Enum):
    """A version of the platform; one that sends no ``CASE`` is that of 2020."""

    Y2020 = "y2020"
    CURRENT = "current"
