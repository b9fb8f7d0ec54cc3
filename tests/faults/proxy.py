"""A network between client and broker that misbehaves when told to."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread

from attrs import define, field

PIECE = 64 << 10
"""Bytes that are handed on at once."""


@define
class Proxy:
    """
    A TCP proxy in threads.

    Attributes:
        port: Where it listens, on the loopback interface.

        target: The port that it hands connections on to.

        passed: Bytes that came from the broker so far.

        bytes_per_second: How much it lets pass from the broker; None for all.
    """

    port: int
    target: int
    passed: int = 0
    bytes_per_second: int | None = None
    _open: Event = field(factory=Event)
    _sockets: list[socket.socket] = field(factory=list)
    _lock: Lock = field(factory=Lock)

    def cut(self) -> None:
        """Break all connections; new ones may be made."""
        with self._lock:
            broken, self._sockets = self._sockets, []
        for end in broken:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Keep connections, and let nothing pass, while entered."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                broker = socket.create_connection(("127.0.0.1", self.target))
                with self._lock:
                    self._sockets += [client, broker]
                Thread(target=self._pass, args=(client, broker), daemon=True).start()
                Thread(
                    target=self._pass,
                    args=(broker, client),
                    kwargs={"metered": True},
                    daemon=True,
                ).start()

    def _pass(
        self, source: socket.socket, sink: socket.socket, *, metered: bool = False
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self._open.wait()
                if metered:
                    self.passed += len(piece)
                    if self.bytes_per_second:
                        time.sleep(len(piece) / self.bytes_per_second)
                sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(port: int, target: int) -> Iterator[Proxy]:
    """Run a proxy, while entered."""
    running = Proxy(port, target)
    running._open.set()
    with socket.create_server(("127.0.0.1", port)) as listener:
        Thread(target=running._serve, args=(listener,), daemon=True).start()
        try:
            yield running
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            running.cut()
