"""One exchange with the back-end: its time limits, its retries, its refusals."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import random
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import unquote

import httpx
import stamina

from adapters.http.settings import HttpSettings
from domain.errors import Unavailable

Send = Callable[[httpx.AsyncClient, httpx.URL], Awaitable[None]]
"""One attempt, from the request to the end of the answer."""

_FIRST_PAUSE = 1.0  # seconds at most
_LONGEST_PAUSE = 5.0  # seconds; the platform's own habit
_LONGEST_PATIENT_PAUSE = 30.0  # seconds; a back-end away for long is spared
_LONGEST_WISH = 60.0  # seconds; of a back-end that names its pause itself
_EXCERPT = 200  # characters of a refusal's text
_SECRET = 4  # characters of what is hidden in it, at least
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


class NoSuccess(Exception):
    """
    An attempt that was none.

    Attributes:
        place: Where, as messages may show it.
    """

    place = ""


class Refused(NoSuccess):
    """The back-end's last word: no retry changes it."""


class NotYet(NoSuccess):
    """
    There was no answer, or one that asks for another attempt.

    Attributes:
        pause: Seconds until then, if the back-end said so.
    """

    def __init__(self, reason: str, pause: float | None = None):
        super().__init__(reason)
        self.pause = pause

    def wish(self) -> float:
        """Return the pause, and up to a second more."""
        return 0.0 if self.pause is None else _lot(self.pause, self.pause + 1)


def exchange(
    settings: HttpSettings, send: Send, *, patience: float | None = None
) -> None:
    """
    Run *send* until the back-end has answered, on any thread.

    The number of attempts is the limit, or, with *patience*, the time that they take:
    that many seconds on the monotonic clock, after which one under way is broken off.

    The client is asynchronous because only so can an attempt's total time be limited:
    a back-end that drips a byte now and then outlives every other time-out.

    Raises:
        Refused: The answer is no.

        Unavailable: After the last attempt it is still not there.
    """
    exchange_all([(settings, send)], patience=patience)


def exchange_all(
    exchanges: Sequence[tuple[HttpSettings, Send]], *, patience: float | None = None
) -> None:
    """
    Run all of *exchanges*, one after the other, until all in a row have succeeded.

    If one of them fails, the next attempt begins with the first one again.  Otherwise
    see `exchange`.

    Raises:
        Refused: One of the answers is no; the reason knows its place.

        Unavailable: After the last attempt one is still not there.
    """
    try:
        asyncio.run(_attempts(exchanges, patience))
    except NotYet as reason:
        raise Unavailable(f"{reason.place}: {reason}") from reason


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
        raise NotYet(answer, _wish(response.headers))
    raise Refused(answer)


def pauses(longest: float) -> Iterator[float]:
    """
    Yield the seconds between attempts, longer and longer up to *longest*.

    No two jobs make the same, or else all that a back-end has turned away at one moment
    would be back at one moment.
    """
    most = _FIRST_PAUSE
    while True:
        yield _lot(0.8 * most, most)
        most = min(2 * most, longest)


async def _attempts(
    exchanges: Sequence[tuple[HttpSettings, Send]], patience: float | None
) -> None:
    first, _ = exchanges[0]
    own = pauses(_LONGEST_PAUSE if patience is None else _LONGEST_PATIENT_PAUSE)
    last: NotYet | None = None
    under_way = first.place

    def again(reason: Exception) -> bool | float:
        nonlocal last
        if not isinstance(reason, NotYet):
            return False
        last = reason
        # It is the least that the back-end asks for: 0 is no wish to be run over.
        return max(reason.wish(), next(own))

    try:
        async with asyncio.timeout(patience):
            async for attempt in stamina.retry_context(
                on=again,
                attempts=first.streamfit_http_attempts if patience is None else None,
                timeout=None,
            ):
                with attempt:
                    for settings, send in exchanges:
                        under_way = settings.place
                        await _told_where(settings, send)
    except TimeoutError as reason:
        late = NotYet(f"no answer within {patience:g} seconds")
        late.place = under_way
        raise last or late from reason


def _lot(least: float, most: float) -> float:
    return random.uniform(least, most)  # noqa: S311  # it is no secret


async def _told_where(settings: HttpSettings, send: Send) -> None:
    try:
        await _attempt(settings, send)
    except NoSuccess as reason:
        reason.place = settings.place
        raise


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


def _wish(headers: httpx.Headers) -> float | None:
    """Return how many seconds the back-end would like to be left alone."""
    wish = headers.get("Retry-After", "").strip()
    if wish.isdecimal():
        seconds = float(wish)
    else:
        until = _moment(wish)
        # By its own clock, if it tells: ours may be wrong by hours.
        now = _moment(headers.get("Date", "")) or datetime.now(UTC)
        if until is None:
            return None
        seconds = max((until - now).total_seconds(), 0.0)
    return min(seconds, _LONGEST_WISH)


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # of years and zones beyond all bounds
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _excerpt(response: httpx.Response) -> str:
    """Return the beginning of the text, quoted so that it cannot break a log."""
    text, secrets = "", _secrets(response.request)
    enough = _EXCERPT + max(map(len, secrets), default=0)  # to hold a secret as a whole
    # The status decides; a text that breaks off must not turn a refusal into a retry.
    with contextlib.suppress(httpx.HTTPError):
        async for piece in response.aiter_text():
            text += piece
            if len(text) > enough:
                break
    for secret in secrets:
        text = text.replace(secret, "***")
    return f"{text[:_EXCERPT]!r}..." if len(text) > _EXCERPT else repr(text)


def _secrets(request: httpx.Request) -> list[str]:
    """Return what a back-end may echo of *request* and nobody else is to see."""
    query = request.url.query.decode("ascii")
    login = request.headers.get("authorization", "").rpartition(" ")[2]
    told = {query, unquote(query), login}
    told |= {value for _, value in request.url.params.multi_items()}
    with contextlib.suppress(ValueError):  # it is none of ours then
        name, _, password = base64.b64decode(login).decode().partition(":")
        told |= {f"{name}:{password}", password}
    # Shorter ones are found in any text.
    return sorted((s for s in told if len(s) >= _SECRET), key=len, reverse=True)


def _in_words(reason: Exception) -> str:
    return f"{type(reason).__name__}: {reason}".removesuffix(": ")
