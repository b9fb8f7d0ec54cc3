"""A server that misbehaves as told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self


class ScriptedServer:
    """
    Plays one act per connection; the last one again for all further connections.

    Without *bodies* it reads no more than the heads of requests before it acts.

    Attributes:
        requests: Whole requests, head and body, in order.

        arrived: Set once there is one.

        released: Set at the end; acts that hang wait for it.

        left: Set once a client has gone while ``hang`` was waiting.
    """

    def __init__(self, *acts: Act, reuse_port: bool = False, bodies: bool = True):
        self._acts = list(acts)
        self._bodies = bodies
        self._socket = socket.create_server(("127.0.0.1", 0), reuse_port=reuse_port)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/results/3"
        self._threads: list[threading.Thread] = []
        self.requests: list[bytes] = []
        self.arrived = threading.Event()
        self.released = threading.Event()
        self.left = threading.Event()

    def hang(self, connection: socket.socket) -> None:
        """Send nothing more until the client goes or the test is over."""
        connection.settimeout(0.02)
        while not self.released.is_set():
            try:
                if not connection.recv(1):
                    self.left.set()
                    return
            except TimeoutError:
                continue

    def drip(self, connection: socket.socket) -> None:
        """Answer without ever coming to an end, and without ever falling silent."""
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not self.released.wait(0.02):
            connection.sendall(b"x")

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        with contextlib.suppress(OSError):  # it may not be listening
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                self._play(connection)
            except OSError:
                self.left.set()

    def _play(self, connection: socket.socket) -> None:
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        head, behind = read_head(connection)
        body = read_body(connection, head, behind) if self._bodies else behind
        self.requests.append(head + body)
        self.arrived.set()
        act(self, connection)


Act = Callable[[ScriptedServer, socket.socket], None]
"""What to do with a connection whose request has been read; then it is closed."""


def send(answer: bytes) -> Act:
    """Return the act that sends *answer*, whatever it is worth."""
    return lambda _, connection: connection.sendall(answer)


def ok(body: bytes) -> Act:
    """Return the act that sends *body* in a well-formed answer."""
    return send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def cut(_: ScriptedServer, __: socket.socket) -> None:
    """Close the connection without an answer."""


@contextmanager
def closed_port() -> Iterator[str]:
    """Yield the URL of a port that nobody listens on, and nobody else can take."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/results/3"


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read a request up to the empty line; returns that, and what came behind it."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += _receive(connection)
    head, end, behind = request.partition(b"\r\n\r\n")
    return head + end, behind


def read_body(connection: socket.socket, head: bytes, behind: bytes) -> bytes:
    """Read the rest of the body to whose *head* it belongs."""
    body, length = bytearray(behind), 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += _receive(connection)
    return bytes(body)


def _receive(connection: socket.socket) -> bytes:
    piece = connection.recv(1 << 16)
    if not piece:
        raise ConnectionError("the client went in the middle of its request")
    return piece
