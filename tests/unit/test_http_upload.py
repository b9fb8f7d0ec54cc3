"""Answers to a body that is still on its way, on real sockets."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import struct
import time

import pytest
import stamina
import trustme
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.http import HttpSettings, client
from adapters.http.client import NotYet, Refused, check, exchange
from adapters.http.upload import upload
from domain.errors import Unavailable
from tests.scripted_server import ScriptedServer, closed_port, read_body

SMALL, LONG = b"x" * 1000, bytes(1 << 24)
TOO_LONG = b"HTTP/1.1 413 No\r\nContent-Length: 8\r\n\r\ntoo long"
RESET = struct.pack("ii", 1, 0)

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def _at_once():
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


def post(url, body, **changes):
    """Return the text that one exchange ends with."""
    texts = []

    async def one_post(client, url):
        files = {"file": ("name", io.BytesIO(body))}
        request = client.build_request("POST", url, files=files)
        async with contextlib.aclosing(await upload(client, request)) as response:
            await check(response)
            texts.append(await response.aread())

    exchange(HttpSettings(url, **changes), one_post)
    return texts[-1]


def hasty(*acts):
    """Return a server that acts as soon as it has read a request's head."""
    return ScriptedServer(*acts, bodies=False)


def says(*pieces):
    """Return the act that sends *pieces* with pauses, and cuts the connection."""

    def act(_, connection):
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)

    return act


def takes_it(server, connection):
    """Read the body after all, and answer."""
    head, _, behind = server.requests[-1].partition(b"\r\n\r\n")
    server.requests[-1] = read_body(connection, head, behind)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.mark.parametrize("body", [b"", SMALL, LONG], ids=["none", "small", "long"])
class TestEarly:
    def test_refused(self, body):
        """The refusal of a body that is not read is none the less one."""
        with (
            hasty(says(TOO_LONG)) as server,
            pytest.raises(Refused, match="status 413: 'too long'"),
        ):
            post(server.url, body)

    def test_in_pieces(self, body):
        """It may come bit by bit."""
        with (
            hasty(says(TOO_LONG[:9], TOO_LONG[9:30], TOO_LONG[30:])) as server,
            pytest.raises(Refused, match="status 413: 'too long'"),
        ):
            post(server.url, body)

    def test_stuck(self, body):
        """It counts at once, also if the connection stands and nothing is read."""

        def act(server, connection):
            connection.sendall(TOO_LONG)
            server.released.wait(60)

        with (
            hasty(act) as server,
            pytest.raises(Refused, match="status 413: 'too long'"),
        ):
            post(server.url, body)

        assert 1 == len(server.requests)

    def test_later(self, body):
        """One that asks for another attempt gets it, with the pause that it wants."""
        busy = b"HTTP/1.1 503 No\r\nRetry-After:  7 \r\nContent-Encoding: gzip\r\n\r\n"
        with hasty(says(busy)) as server, pytest.raises(Unavailable) as reason:
            post(server.url, body, streamfit_http_attempts=5)

        assert isinstance(reason.value.__cause__, NotYet)
        assert 5 == len(server.requests)
        # With luck the connection is cut before anybody can have read the last one.
        assert reason.value.__cause__.pause in {7.0, None}

    def test_nonsense(self, body):
        """What is no HTTP is no answer."""
        with (
            hasty(says(b"what?\r\n\r\n")) as server,
            pytest.raises(Unavailable),
        ):
            post(server.url, body)

        assert 5 == len(server.requests)

    def test_no_answer(self, body):
        """Nor is a reset."""

        def act(_, connection):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

        with hasty(act) as server, pytest.raises(Unavailable, match="Error"):
            post(server.url, body)

        assert 5 == len(server.requests)

    def test_continue(self, body):
        """What only announces an answer changes nothing."""

        def act(server, connection):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
            takes_it(server, connection)

        with hasty(act) as server:
            assert b"ok" == post(server.url, body)

        assert 1 == len(server.requests)
        assert body in server.requests[0]

    def test_whole(self, body):
        """Who listens to the end is answered as ever."""
        with hasty(takes_it) as server:
            assert b"ok" == post(server.url, body)

        assert body in server.requests[0]


def test_nobody_there():
    """Without a connection there is nothing to listen to."""
    with closed_port() as url, pytest.raises(Unavailable, match="ConnectError"):
        post(url, SMALL)


def test_credentials():
    """User and password of the URL go along."""
    with ScriptedServer(says(b"HTTP/1.1 200 OK\r\n\r\nok")) as server:
        assert b"ok" == post(server.url.replace("://", "://me:canary@"), LONG)

    (request,) = server.requests
    assert b"\r\nAuthorization: Basic bWU6Y2FuYXJ5\r\n" in request
    assert LONG in request


def test_proxy(monkeypatch):
    """A proxy between the two is listened to as well."""
    with hasty(says(TOO_LONG)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(Refused, match="status 413: 'too long'"):
            post("http://backend.invalid/results/3", LONG)

    assert proxy.requests[0].startswith(b"POST http://backend.invalid/results/3 HTTP")


def test_stalls():
    """A body that nobody reads is given up."""

    def act(server, _):
        server.released.wait(60)

    with hasty(act) as server, pytest.raises(Unavailable, match="WriteTimeout"):
        post(
            server.url,
            LONG,
            streamfit_http_attempts=1,
            streamfit_http_read_timeout=0.2,
        )


def test_encrypted(monkeypatch, tmp_path):
    """What encryption itself sends back is no answer."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    client._trust.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    seen = []

    def take(request: Request) -> Response:
        seen.append(request.files["file"].read())
        return Response("ok")

    try:
        with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
            server.expect_request("/results/3").respond_with_handler(take)
            assert b"ok" == post(server.url_for("/results/3"), LONG)
    finally:
        client._trust.cache_clear()

    assert [LONG] == seen
