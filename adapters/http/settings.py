"""Where the back-end is, and how patient the job is with it."""

from __future__ import annotations

import math
from urllib.parse import urlsplit, urlunsplit

import httpx
from attrs import Attribute, field, frozen, validators


def masked(url: str) -> str:
    """Return *url* for messages: without user, password and query."""
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    return urlunsplit(
        parts._replace(
            netloc=f"***@{host}" if at else host,
            query="***" if parts.query else "",
            fragment="",
        )
    )


def _one_url(_: object, __: Attribute[str], value: str) -> None:
    if value.lstrip().startswith("["):
        raise ValueError(
            "it is a list: lists of sub-models belong to CASE 3, 4, 7, 8, "
            "which this version does not serve"
        )
    # The value stays out of the message: it may hold a password.
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        raise ValueError("it is not a URL") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("want an http or https URL with a host")


def _seconds(_: object, __: Attribute[float], value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"want a number of seconds above 0, got {value!r}")


def _at_least_one(_: object, __: Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError(f"want at least 1, got {value!r}")


@frozen
class HttpSettings:
    """
    Environment variables of the back-end, by their names in lower case.

    Attributes:
        result_url: Where the model comes from and the result goes to.

        streamfit_http_attempts: How often a request is tried.

        streamfit_http_connect_timeout: Until a connection stands, in seconds.

        streamfit_http_read_timeout: Between two pieces of an answer or of a
            request, in seconds.

        streamfit_http_total_timeout: For one attempt as a whole, in seconds.

        streamfit_delivery_deadline: For the delivery of a trained model with all its
            attempts, in seconds.

        streamfit_max_model_bytes: The longest download of a model.
    """

    result_url: str = field(
        validator=[validators.instance_of(str), _one_url], repr=masked
    )
    streamfit_http_attempts: int = field(default=10, validator=_at_least_one)
    streamfit_http_connect_timeout: float = field(default=10.0, validator=_seconds)
    streamfit_http_read_timeout: float = field(default=60.0, validator=_seconds)
    streamfit_http_total_timeout: float = field(default=600.0, validator=_seconds)
    streamfit_delivery_deadline: float = field(default=3600.0, validator=_seconds)
    streamfit_max_model_bytes: int = field(default=2 << 30, validator=_at_least_one)

    @property
    def place(self) -> str:
        """The URL as messages may show it."""
        return masked(self.result_url)
