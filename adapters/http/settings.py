"""Where the back-end is, and how patient the job is with it."""

from __future__ import annotations

import ast
import itertools
import math
from urllib.parse import urlsplit, urlunsplit

import httpx
from attrs import Attribute, field, fields, frozen, validators


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
            "it is a list: lists of sub-models belong to CASE 3, 4, 7 and 8"
        )
    _http(value)


def _http(value: str) -> None:
    # The value stays out of the message: it may hold a password.
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        raise ValueError("it is not a URL") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("want an http or https URL with a host")


def _urls(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Read a list in Python's notation, which is how the platform writes it."""
    if isinstance(value, tuple):
        return value
    wanted = "a Python list of URLs, one for each sub-model"
    if not value.lstrip().startswith("["):
        raise ValueError(f"want {wanted}, as CASE 3, 4, 7 and 8 have it")
    try:
        urls = ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(f"want {wanted}: it is no list that can be read") from None
    if not all(isinstance(url, str) for url in urls):
        raise ValueError(f"want {wanted}: it holds what is no text")
    return tuple(urls)


def _a_chain_of_urls(_: object, __: object, urls: tuple[str, ...]) -> None:
    if len(urls) < 2:
        raise ValueError(f"want a list of two URLs or more, got {len(urls)}")
    for number, url in enumerate(urls, 1):
        try:
            _http(url)
        except ValueError as fault:
            raise ValueError(f"number {number} of the list: {fault}") from None
    for (first, one), (second, other) in itertools.combinations(enumerate(urls, 1), 2):
        if one == other:
            raise ValueError(f"numbers {first} and {second} of the list are the same")


def _all_masked(urls: tuple[str, ...]) -> str:
    return ", ".join(map(masked, urls))


def _seconds(_: object, __: Attribute[float], value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"want a number of seconds above 0, got {value!r}")


def _at_least_one(_: object, __: Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError(f"want at least 1, got {value!r}")


@frozen(kw_only=True)
class HttpLimits:
    """
    Environment variables about any back-end, by their names in lower case.

    Attributes:
        streamfit_http_attempts: How often a request is tried, at most 5 s apart.

        streamfit_http_connect_timeout: Until a connection stands, in seconds.

        streamfit_http_read_timeout: Between two pieces of an answer or of a
            request, in seconds.

        streamfit_http_total_timeout: For one attempt as a whole, in seconds.

        streamfit_delivery_deadline: For the delivery of a trained model with all its
            attempts, in seconds.

        streamfit_max_model_bytes: The longest download of a model.
    """

    streamfit_http_attempts: int = field(default=10, validator=_at_least_one)
    streamfit_http_connect_timeout: float = field(default=10.0, validator=_seconds)
    streamfit_http_read_timeout: float = field(default=60.0, validator=_seconds)
    streamfit_http_total_timeout: float = field(default=600.0, validator=_seconds)
    streamfit_delivery_deadline: float = field(default=3600.0, validator=_seconds)
    streamfit_max_model_bytes: int = field(default=2 << 30, validator=_at_least_one)


@frozen
class HttpSettings(HttpLimits):
    """
    Environment variables of the back-end for a single model.

    Attributes:
        result_url: Where the model comes from and the result goes to.
    """

    result_url: str = field(
        validator=[validators.instance_of(str), _one_url], repr=masked
    )

    @property
    def place(self) -> str:
        """The URL as messages may show it."""
        return masked(self.result_url)


@frozen
class HttpChainSettings(HttpLimits):
    """
    Environment variables of the back-end for a chain of sub-models.

    Attributes:
        result_url: Where each sub-model comes from and its result goes to; the first
            one takes the data.
    """

    result_url: tuple[str, ...] = field(
        converter=_urls, validator=_a_chain_of_urls, repr=_all_masked
    )

    @property
    def each(self) -> tuple[HttpSettings, ...]:
        """The settings of every single sub-model."""
        limits = {f.name: getattr(self, f.name) for f in fields(HttpLimits)}
        return tuple(HttpSettings(url, **limits) for url in self.result_url)
