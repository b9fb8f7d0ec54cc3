"""What may become of something that is sent."""

from __future__ import annotations


class Away(Exception):
    """The server cannot be reached, or is not well; later on it may be."""


class Refused(Exception):
    """The server, or its library, does not take it; it will not later on, either."""
