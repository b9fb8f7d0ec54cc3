"""The platform's back-end on a bare socket: it can misbehave at every byte."""

from __future__ import annotations

import email
import json
import socket
import struct
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterable

from attrs import define, field

from tests.models import model_file
from tests.scripted_server import ScriptedServer, read_body, read_head

MODEL = model_file("digits").read_bytes()

GET_MODEL = "GET /results/3"
POST_PROGRESS = "POST /results_metrics/3"
POST_RESULT = "POST /results/3"

NO_LINGER = struct.pack("ii", 1, 0)
"""Closes a connection with a reset, and drops what has not been sent yet."""


@define
class Accepted:
    """
    A result that the back-end has stored.

    Attributes:
        report: Its data, but for the time that training took.

        model: The trained model's bytes.
    """

    report: dict[str, object]
    model: bytes


@define
class Exchange:
    """
    A request, whose body is read when an act asks for it, and the way back.

    Attributes:
        backend: Who was asked.

        connection: Where the answer goes.

        head: The request's beginning, up to the empty line.
    """

    backend: ScriptedBackend
    connection: socket.socket
    head: bytes
    behind: bytes = field(repr=False)

    def body(self) -> bytes:
        """Read the body."""
        return read_body(self.connection, self.head, self.behind)

    def send(self, answer: bytes) -> None:
        """Send some of the answer."""
        self.connection.sendall(answer)

    def store(self) -> None:
        """Take the result, as the platform does: read it all, keep it."""
        _, _, fields = self.head.partition(b"\r\n")
        body = self.body()
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in email.message_from_bytes(fields + body).get_payload()
        }
        report = json.loads(parts["data"].get_payload(decode=True))
        del report["training_time"]
        model = parts["trained_model"].get_payload(decode=True)
        self.backend.accepted.append(Accepted(report, model))


Act = Callable[[Exchange], None]
"""What to do with a connection whose request's head has been read."""


class ScriptedBackend(ScriptedServer):
    """
    Plays the acts of a kind of request, one each, and then behaves well.

    Attributes:
        accepted: The results that it has stored, in order.

        progress: The epochs that it was told of and did not answer.

        asked: How often each kind of request came.
    """

    def __init__(self, acts: Iterable[tuple[str, Act]] = ()):
        # A second socket has the same port from the start: whoever is away listens on
        # none of them, and nobody else can take it.
        super().__init__(reuse_port=True)
        self._script: dict[str, list[Act]] = defaultdict(list)
        for request, act in acts:
            self._script[request].append(act)
        self._manners = {GET_MODEL: hand_out, POST_PROGRESS: answer(200)}
        self._manners[POST_RESULT] = store(200)
        self.accepted: list[Accepted] = []
        self.progress: list[dict[str, dict[str, list[float]]]] = []
        self.asked: dict[str, int] = defaultdict(int)

    def leave(self) -> None:
        """Be away: from now on connections are refused."""
        port = self._socket.getsockname()[1]
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(("127.0.0.1", port))
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._socket = bound

    def come_back(self) -> None:
        """Be there again."""
        self._socket.listen()
        self._start(self._accept)

    def behave(self, request: str) -> None:
        """Play no more acts of this kind."""
        self._script[request].clear()

    def _play(self, connection: socket.socket) -> None:
        head, behind = read_head(connection)
        request = b" ".join(head.split(b" ", 2)[:2]).decode()
        self.asked[request] += 1
        self.arrived.set()
        acts = self._script[request]
        act = acts.pop(0) if acts else self._manners[request]
        act(Exchange(self, connection, head, behind))


def hand_out(exchange: Exchange) -> None:
    """Send the untrained model."""
    exchange.send(ok(MODEL))


def ok(body: bytes, length: int | None = None) -> bytes:
    """Return a good answer with *body*, of which *length* bytes are announced."""
    length = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (length, body)


def status(code: int, text: bytes = b"", *fields: bytes) -> bytes:
    """Return an answer with *code*."""
    lines = [b"HTTP/1.1 %d Why" % code, b"Content-Length: %d" % len(text), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + text


def answer(code: int, text: bytes = b"", *fields: bytes) -> Act:
    """Return the act that reads it all and then answers with *code*."""

    def act(exchange: Exchange) -> None:
        exchange.body()
        exchange.send(status(code, text, *fields))

    return act


def sends(whole: bytes) -> Act:
    """Return the act that reads it all, and sends exactly this."""

    def act(exchange: Exchange) -> None:
        exchange.body()
        exchange.send(whole)

    return act


def store(code: int) -> Act:
    """Return the act that takes the result and says so with *code*."""

    def act(exchange: Exchange) -> None:
        exchange.store()
        exchange.send(status(code))

    return act


def store_and_send(whole: bytes) -> Act:
    """Return the act that takes the result, sends exactly this, and goes."""

    def act(exchange: Exchange) -> None:
        exchange.store()
        exchange.send(whole)

    return act


def store_and_stall(beginning: bytes) -> Act:
    """Return the act that takes the result, sends the *beginning*, and falls silent."""

    def act(exchange: Exchange) -> None:
        exchange.store()
        exchange.send(beginning)
        exchange.backend.hang(exchange.connection)

    return act


def early(code: int) -> Act:
    """Return the act that answers the head, and wants no body: it is cut off."""

    def act(exchange: Exchange) -> None:
        exchange.send(status(code, b"too early"))

    return act


def cut_midway(exchange: Exchange) -> None:
    """Reset the connection in the middle of the body."""
    exchange.connection.recv(1000)
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)


def stalls(beginning: bytes) -> Act:
    """Return the act that reads it all, sends the *beginning*, and falls silent."""

    def act(exchange: Exchange) -> None:
        exchange.body()
        exchange.send(beginning)
        exchange.backend.hang(exchange.connection)

    return act


def never_answer(exchange: Exchange) -> None:
    """Take the epochs so far, and say nothing."""
    form = urllib.parse.parse_qs(exchange.body().decode(), strict_parsing=True)
    exchange.backend.progress.append(json.loads(form["data"][0]))
    exchange.backend.hang(exchange.connection)
