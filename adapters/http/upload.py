"""A long request, whose answer may come before its end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Protocol, cast

import httpx
from attrs import define, field

_MOST = 1 << 14  # bytes of an early answer; more is not looked at
_REST = 0.5  # seconds; what it says behind its head is worth no longer wait
_END_OF_HEAD = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})\b")
_PASSING = re.compile(rb"HTTP/1\.[01] 1[0-9]{2}\b")
"""Of an answer that announces another one."""


class _Connection(Protocol):
    """What httpx tells about its connections."""

    async def read(self, max_bytes: int) -> bytes: ...

    def get_extra_info(self, info: str) -> object: ...


async def upload(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """
    Send *request* and return the answer, whose text may still be to come.

    A back-end that does not want a body need not take it: it answers the head, and
    resets the connection.  httpx looks for an answer behind the whole body only, where
    it finds no more than a broken connection.  So the connection is listened to while
    the body is sent, and an answer ends the sending.
    """
    listener = _Listener(cast("httpx.AsyncByteStream", request.stream))
    request.stream = listener
    request.extensions["trace"] = listener.trace
    sending = asyncio.create_task(client.send(request, stream=True))
    try:
        await asyncio.wait(
            {sending, listener.listening}, return_when=asyncio.FIRST_COMPLETED
        )
        early = listener.answer()
        if early is None:
            return await sending
        early.request = request
        return early
    finally:
        sending.cancel()
        listener.listening.cancel()
        await asyncio.gather(sending, listener.listening, return_exceptions=True)


@define(eq=False)
class _Listener(httpx.AsyncByteStream):
    """
    A request's body, and what comes back before its end.

    Attributes:
        body: The body as it was.

        listening: Ends with an answer, with the connection, or before the last piece
            of the body: from then on httpx itself listens.
    """

    body: httpx.AsyncByteStream
    listening: asyncio.Task[None] = field(init=False)
    _started: asyncio.Event = field(factory=asyncio.Event, init=False)
    _connection: _Connection | None = field(default=None, init=False)
    _heard: bytes = field(default=b"", init=False)

    def __attrs_post_init__(self) -> None:
        self.listening = asyncio.create_task(self._listen())

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        """Take note of the connection; httpx calls this at every step."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._connection = cast("_Connection", info["return_value"])
        elif event.endswith("send_request_body.failed"):
            # The last words may still be there; httpx must not read beside us.
            await asyncio.wait({self.listening}, timeout=_REST)
            await self._stop()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        self._started.set()
        before: bytes | None = None
        async for piece in self.body:
            await self._read_first()
            if before is not None:
                yield before
            before = piece
        # Nobody can have answered a whole request so far: an answer is an early one.
        await self._stop()
        if self._heard:
            raise httpx.WriteError("there is an answer already")
        if before is not None:
            yield before

    def answer(self) -> httpx.Response | None:
        """Return the early answer, if one was heard."""
        head, _, text = self._heard.partition(_END_OF_HEAD)
        status, *lines = head.split(b"\r\n")
        code = _STATUS.match(status)
        if code is None:
            return None
        fields = [tuple(line.split(b":", 1)) for line in lines if b":" in line]
        headers = [
            (name, value.strip())
            for name, value in fields
            if name.lower() not in {b"content-encoding", b"transfer-encoding"}
        ]
        return httpx.Response(int(code[1]), headers=headers, content=text)

    async def _read_first(self) -> None:
        """Have read what has come: a failing write would lose it."""
        while self._has_come():  # noqa: ASYNC110  # no event tells of it
            await asyncio.sleep(0)

    def _has_come(self) -> bool:
        if self._connection is None or self.listening.done():
            return False
        return bool(self._connection.get_extra_info("is_readable"))

    async def _stop(self) -> None:
        self.listening.cancel()
        await asyncio.wait({self.listening})

    async def _listen(self) -> None:
        await self._started.wait()
        while True:
            head, end, behind = self._heard.partition(_END_OF_HEAD)
            if not end:
                if not await self._hear():
                    return
            elif _PASSING.match(head):
                self._heard = behind
            else:
                break
        async with asyncio.timeout(_REST):
            while await self._hear():
                pass

    async def _hear(self) -> bool:
        """Read on; return whether there may be more."""
        if self._connection is None or len(self._heard) >= _MOST:
            return False
        piece = await self._connection.read(_MOST)
        self._heard += piece
        return bool(piece)
