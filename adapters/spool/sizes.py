"""Amounts of bytes, as people write and read them."""

from __future__ import annotations

import re
from decimal import Decimal

_SIZE = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?:(?P<prefix>[kmgt])(?P<binary>i?))?b?",
    re.IGNORECASE,
)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str) -> int:
    """
    Return the bytes that *text* stands for.

    Raises:
        ValueError: It is not a size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"want a size like 2GiB, 500MB or 1073741824, got {text!r}")
    base = 1024 if match["binary"] else 1000
    return int(
        Decimal(match["number"]) * base ** _POWERS[(match["prefix"] or "").lower()]
    )


def size_text(size: int) -> str:
    """Return *size*, in bytes, for messages: ``1.5 GiB``."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:,.4g} TiB"
