"""
A small HTTP server that nobody can keep busy.

It answers GET and HEAD at fixed paths, one request per connection, and knows no files.
A connection has a few seconds, whatever it sends; of too many at a time, the latest are
closed.
"""

from __future__ import annotations

import http.server
import ipaddress
import logging
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import cast

from attrs import frozen

log = logging.getLogger(__name__)

SECONDS = 10.0
"""That a connection may take, from its first byte to its last."""

MOST = 16
"""Connections at a time."""


_HOST = re.compile(r"(\[(?P<bracketed>[^\]]+)\]|(?P<bare>[^:\[\]]+))(:\d+)?")


@frozen
class Answer:
    """
    What is answered.

    Attributes:
        body: Of the answer.

        content_type: What it is.

        status: The HTTP status.
    """

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


Routes = Mapping[str, Callable[[], Answer]]
"""What there is to see, by path."""


class StatusServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Answers by *routes*; called with a host and a port, it listens at once."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST

    def __init__(self, host: str, port: int, routes: Routes) -> None:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self.address_family = family
        self.routes = routes
        self._free = threading.BoundedSemaphore(MOST)
        super().__init__(cast("tuple[str, int]", address), _Handler)
        self.local = ipaddress.ip_address(str(self.server_address[0])).is_loopback

    def process_request(self, request: object, client_address: object) -> None:
        """Take a connection, if there are not too many; see socketserver."""
        connection = cast("socket.socket", request)
        if not self._free.acquire(blocking=False):
            self.shutdown_request(connection)
            return
        try:
            super().process_request(connection, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serve a connection, and end it when its time is up; see socketserver."""
        connection = cast("socket.socket", request)

        def end() -> None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

        late = threading.Timer(SECONDS, end)
        late.daemon = True
        late.start()
        try:
            super().process_request_thread(connection, client_address)
        finally:
            late.cancel()
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what went wrong with a connection; see socketserver."""
        del request, client_address
        reason = sys.exc_info()[1]
        log.debug("status request failed", extra={"reason": str(reason)})


class _Handler(http.server.BaseHTTPRequestHandler):
    server: StatusServer
    server_version = "streamfit"
    sys_version = ""
    timeout = SECONDS

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Leave probes out of the job's log."""

    def _answer(self, *, with_body: bool) -> None:
        answer = self._found()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def _found(self) -> Answer:
        if self.server.local and not _is_local(self.headers.get("Host")):
            text = b"this address is for the machine itself\n"
            return Answer(text, status=HTTPStatus.MISDIRECTED_REQUEST)
        route = self.server.routes.get(self.path.partition("?")[0])
        if route is None:
            return Answer(b"nothing here\n", status=HTTPStatus.NOT_FOUND)
        try:
            return route()
        except Exception:  # the next request may be answered, and the job goes on
            log.warning("status not shown", extra={"path": self.path}, exc_info=True)
            text = b"this went wrong; the job's log says why\n"
            return Answer(text, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _is_local(host: str | None) -> bool:
    """
    Whether a request came for the machine itself and not for a name.

    A name may be anybody's: a page on the network could have its own one lead here, and
    read with a browser on this machine what is not for it.
    """
    found = _HOST.fullmatch("localhost" if host is None else host)
    if found is None:
        return False
    name = (found["bracketed"] or found["bare"]).lower()
    if name == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return False
