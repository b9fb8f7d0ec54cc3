"""One exchange with the back-end: its time limits, its retries, its refusals."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import httpx
import stamina

from adapters.http.settings import HttpSettings
from domain.errors import Unavailable

Send = Callable[[httpx.AsyncClient, httpx.URL], Awaitable[None]]
"""One attempt, from the request to the end of the answer."""

_LONGEST_PAUSE = 5.0  # seconds; the platform's own habit
_LONGEST_PATIENT_PAUSE = 30.0  # seconds; a back-end away for long is spared
_LONGEST_WISH = 60.0  # seconds; of a back-end that names its pause itself
_EXCERPT = 200  # characters of a refusal's text
_TRY_AGAIN = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts no certificate, so that known authorities need not be read and kept."""

_NEVER_AN_ANSWER = (
    httpx.InvalidURL,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
)


class Refused(Exception):
    """The back-end's last word: no retry changes it."""


class NotYet(Exception):
    """
    There was no answer, or one that asks for another attempt.

    Attributes:
        pause: Seconds until then, if the back-end said so.
    """

    def __init__(self, reason: str, pause: float | None = None):
        super().__init__(reason)
        self.pause = pause


def exchange(
    settings: HttpSettings, send: Send, *, patience: float | None = None
) -> None:
    """
    Run *send* until the back-end has answered, on any thread.

    The number of attempts is the limit, or, with *patience*, the time that they take:
    that many seconds on the monotonic clock.

    The client is asynchronous because only so can an attempt's total time be limited:
    a back-end that drips a byte now and then outlives every other time-out.

    Raises:
        Refused: The answer is no.

        Unavailable: After the last attempt it is still not there.
    """
    try:
        asyncio.run(_attempts(settings, send, patience))
    except NotYet as reason:
        raise Unavailable(f"{settings.place}: {reason}") from reason


async def check(response: httpx.Response) -> None:
    """
    Return if *response* is a success.

    Raises:
        Refused: It is a final refusal; redirects that nobody followed are, too.

        NotYet: Another attempt may succeed.
    """
    if response.is_success:
        return
    answer = f"status {response.status_code}: {await _excerpt(response)}"
    if response.status_code in _TRY_AGAIN or response.is_server_error:
        wish = response.headers.get("Retry-After", "")
        raise NotYet(
            answer, min(float(wish), _LONGEST_WISH) if wish.isdecimal() else None
        )
    raise Refused(answer)


def again(reason: Exception) -> bool | float:
    """Return whether to try again after *reason*, or in how many seconds."""
    if isinstance(reason, NotYet) and reason.pause is not None:
        return reason.pause
    return isinstance(reason, NotYet)


async def _attempts(settings: HttpSettings, send: Send, patience: float | None) -> None:
    async for attempt in stamina.retry_context(
        on=again,
        attempts=settings.streamfit_http_attempts if patience is None else None,
        timeout=patience,
        wait_initial=0.5,
        wait_max=_LONGEST_PAUSE if patience is None else _LONGEST_PATIENT_PAUSE,
    ):
        with attempt:
            await _attempt(settings, send)


async def _attempt(settings: HttpSettings, send: Send) -> None:
    # Credentials leave the URL: httpx logs URLs as they are.
    url = httpx.URL(settings.result_url)
    auth = (url.username, url.password) if url.userinfo else None
    total = settings.streamfit_http_total_timeout
    try:
        async with (
            asyncio.timeout(total),
            httpx.AsyncClient(
                auth=auth,
                timeout=httpx.Timeout(
                    settings.streamfit_http_read_timeout,
                    connect=settings.streamfit_http_connect_timeout,
                ),
                verify=_trust() if url.scheme == "https" else _NOBODY,
            ) as client,
        ):
            await send(client, url.copy_with(userinfo=b""))
    except TimeoutError as reason:
        raise NotYet(f"no complete answer within {total:g} seconds") from reason
    except _NEVER_AN_ANSWER as reason:
        raise Refused(_in_words(reason)) from reason
    except (httpx.TransportError, httpx.DecodingError) as reason:
        raise NotYet(_in_words(reason)) from reason


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return the known authorities, whose reading takes longer than a request."""
    return httpx.create_ssl_context()


async def _excerpt(response: httpx.Response) -> str:
    """Return the beginning of the text, quoted so that it cannot break a log."""
    text = ""
    # The status decides; a text that breaks off must not turn a refusal into a retry.
    with contextlib.suppress(httpx.HTTPError):
        async for piece in response.aiter_text():
            text += piece
            if len(text) > _EXCERPT:
                return f"{text[:_EXCERPT]!r}..."
    return repr(text)


def _in_words(reason: Exception) -> str:
    return f"{type(reason).__name__}: {reason}".removesuffix(": ")
