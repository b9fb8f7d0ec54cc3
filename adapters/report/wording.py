"""Numbers, as people read them."""

from __future__ import annotations

import math

NONE = "\N{EN DASH}"

_BYTES = ("B", "kB", "MB", "GB", "TB")


def count(number: float | None) -> str:
    """Return a whole number: ``1,234,567``."""
    return NONE if number is None else f"{number:,.0f}"


def size(number: float) -> str:
    """Return bytes: ``1.2 MB``."""
    power = min(int(math.log(number, 1000)), len(_BYTES) - 1) if number >= 1 else 0
    digits = 1 if power else 0
    return f"{number / 1000**power:.{digits}f} {_BYTES[power]}"


def duration(seconds: float | None) -> str:
    """Return a time: ``0.12 s``, ``3.4 s``, ``5 min 12 s``, ``3 h 04 min``."""
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.{2 if seconds < 1 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def metric(value: float | None) -> str:
    """Return a loss or a metric with as many digits as are worth reading."""
    if value is None:
        return NONE
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3e}"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"


def rate(value: float | None, unit: str) -> str:
    """Return a speed: ``12,300 records/s``."""
    if value is None:
        return NONE
    return f"{value:,.0f} {unit}/s" if value >= 10 else f"{value:.2g} {unit}/s"


def share(part: float, whole: float) -> str:
    """Return per cent: ``80 %``."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.0f} %" if percent in {0, 100} else f"{percent:.1f} %"
