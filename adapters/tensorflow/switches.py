"""Yes and no in environment variables."""

from __future__ import annotations

_SWITCHES = {"1": True, "true": True, "0": False, "false": False}


def switch(value: str | bool) -> bool:  # noqa: FBT001
    """
    Return yes or no.

    Raises:
        ValueError: It is neither.
    """
    if str(value).lower() not in _SWITCHES:
        raise ValueError(f"want 1 or 0, got {value!r}")
    return _SWITCHES[str(value).lower()]
