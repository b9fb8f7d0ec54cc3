"""Retries, time-outs and refusals, on real sockets."""

from __future__ import annotations

import base64
import logging
import ssl

import httpx
import pytest
import stamina
import trustme
from pytest_httpserver import HTTPServer

from adapters.http import HttpSettings, client
from adapters.http.client import Refused, check, exchange
from domain.errors import Unavailable
from tests.scripted_server import ScriptedServer, closed_port, cut, ok, send


@pytest.fixture(autouse=True)
def _at_once():
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def get(url, **changes):
    """Return the body that one exchange ends with."""
    bodies = []

    async def one_get(client, url):
        async with client.stream("GET", url) as response:
            await check(response)
            bodies.append(await response.aread())

    exchange(HttpSettings(url, **changes), one_get)
    return bodies[-1]


def answers(server: HTTPServer, *statuses: int) -> str:
    """Have the server give *statuses*, one after the other; return its URL."""
    for status in statuses:
        server.expect_ordered_request("/results/3").respond_with_data(
            f"{status}", status=status
        )
    return server.url_for("/results/3")


class TestRetries:
    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
    def test_passing_trouble(self, httpserver, status):
        """What may pass is tried again until it has passed."""
        url = answers(httpserver, status, status, 200)

        assert b"200" == get(url)
        assert 3 == len(httpserver.log)

    def test_as_often_as_set(self, httpserver):
        """The last attempt's answer is the reason given."""
        url = answers(httpserver, 500, 429, 503, 200)

        with pytest.raises(Unavailable) as reason:
            get(url, streamfit_http_attempts=3)

        assert f"{url}: status 503: '503'" == str(reason.value)
        assert 3 == len(httpserver.log)

    @pytest.mark.parametrize("status", [304, 400, 401, 404, 413])
    def test_final(self, httpserver, status):
        """A refusal is not argued with."""
        url = answers(httpserver, status, 200)

        with pytest.raises(Refused, match=f"status {status}"):
            get(url)

        assert 1 == len(httpserver.log)

    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_accepted(self, httpserver, status):
        """Any success is one, and is not asked for twice."""
        get(answers(httpserver, status, 500))

        assert 1 == len(httpserver.log)

    @pytest.mark.parametrize(
        "act",
        [
            cut,
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
            send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"),
            send(b"HTTP/1.1 200 OK\r\nContent-Le"),
            send(b"what?\r\n\r\n"),
            send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\noops"),
        ],
        ids=["no answer", "short", "short chunk", "half a head", "no HTTP", "no gzip"],
    )
    def test_broken_answer(self, act):
        """An answer that breaks off or makes no sense is none."""
        with ScriptedServer(act, ok(b"whole")) as server:
            assert b"whole" == get(server.url)

    def test_nobody_there(self):
        """The place and the cause are named."""
        with (
            closed_port() as url,
            pytest.raises(Unavailable, match="Connect") as reason,
        ):
            get(url, streamfit_http_attempts=2)

        assert str(reason.value).startswith(f"{url}: ")


class TestTimeouts:
    def test_silence(self):
        """Who falls silent is left."""
        with ScriptedServer(ScriptedServer.hang) as server:
            with pytest.raises(Unavailable, match="ReadTimeout"):
                get(
                    server.url,
                    streamfit_http_attempts=1,
                    streamfit_http_read_timeout=0.05,
                )
            assert server.left.wait(10)

    def test_stalled_head(self):
        """So is who stops in the middle of the head."""

        def stall(server, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
            ScriptedServer.hang(server, connection)

        with ScriptedServer(stall) as server:
            with pytest.raises(Unavailable, match="ReadTimeout"):
                get(
                    server.url,
                    streamfit_http_attempts=1,
                    streamfit_http_read_timeout=0.05,
                )
            assert server.left.wait(10)

    @pytest.mark.timeout(60)
    def test_drip(self):
        """An answer without end is not waited for, though it never falls silent."""
        with (
            ScriptedServer(ScriptedServer.drip) as server,
            pytest.raises(Unavailable) as reason,
        ):
            get(
                server.url,
                streamfit_http_attempts=2,
                streamfit_http_total_timeout=0.2,
            )

        assert f"{server.url}: no complete answer within 0.2 seconds" == str(
            reason.value
        )
        assert 2 == len(server.requests)


class TestRefusals:
    def test_text_is_shortened_and_escaped(self, httpserver):
        """What a back-end says cannot forge a log's lines, nor flood it."""
        httpserver.expect_request("/results/3").respond_with_data(
            "\x1b[31m\nERROR " + 10_000 * "x", status=400
        )

        with pytest.raises(Refused) as refusal:
            get(httpserver.url_for("/results/3"))

        assert str(refusal.value).startswith(r"status 400: '\x1b[31m\nERROR xxx")
        assert str(refusal.value).endswith("xxx'...")
        assert len(str(refusal.value)) < 250

    def test_text_breaks_off(self):
        """The status alone makes a refusal."""
        act = send(b"HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\nhalf")
        with (
            ScriptedServer(act, ok(b"")) as server,
            pytest.raises(Refused, match="status 400: 'half'"),
        ):
            get(server.url)

        assert 1 == len(server.requests)


class TestSecrets:
    def test_credentials_are_used(self, httpserver):
        """User and password of the URL go into the header where they belong."""
        url = answers(httpserver, 200).replace("://", "://me:p%40ss@")

        get(url)

        request, _ = httpserver.log[0]
        assert ("me", "p@ss") == (
            request.authorization.username,
            request.authorization.password,
        )

    def test_credentials_are_not_told(self, httpserver, caplog, capfd):
        """They are in no message, of ours or of a library."""
        caplog.set_level(logging.DEBUG)
        url = answers(httpserver, 500, 503).replace("://", "://me:canary@")

        with pytest.raises(Unavailable) as reason:
            get(url, streamfit_http_attempts=2)

        assert "http://***@" in str(reason.value)
        assert "/results/3" in caplog.text  # or else there was nothing to hide
        told = [caplog.text, *map(str, map(vars, caplog.records)), *capfd.readouterr()]
        assert "canary" not in "".join(told)

    @pytest.mark.parametrize("before", [0, 150, 195, 5000])
    def test_echoed(self, httpserver, before):
        """Not even if the back-end echoes them, at the end of what is quoted or not."""
        basic = base64.b64encode(b"me:canary-1").decode()
        echo = f"{'.' * before}/results/3?token=canary-2&x=a me:canary-1 {basic}"
        httpserver.expect_request("/results/3").respond_with_data(echo, status=404)
        url = httpserver.url_for("/results/3?token=canary-2&x=a")

        with pytest.raises(Refused) as reason:
            get(url.replace("://", "://me:canary-1@"))

        assert "status 404: '" in str(reason.value)
        for secret in ("canary", basic[:8], "can"):
            assert secret not in str(reason.value)


class TestEncryption:
    @pytest.fixture
    def authority(self):
        return trustme.CA()

    @pytest.fixture
    def encrypted(self, authority):
        """A server with a certificate of an authority that nobody knows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
            server.expect_request("/results/3").respond_with_data("secret")
            yield server

    @pytest.fixture(autouse=True)
    def _afresh(self):
        client._trust.cache_clear()
        yield
        client._trust.cache_clear()

    def test_unknown_authority(self, encrypted):
        """Who cannot prove to be the back-end gets no request."""
        url = encrypted.url_for("/results/3")

        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            get(url, streamfit_http_attempts=1)

        assert [] == encrypted.log

    def test_known_authority(self, encrypted, authority, tmp_path, monkeypatch):
        """An authority of the operator's own is told by SSL_CERT_FILE."""
        file = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(file)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))

        assert b"secret" == get(encrypted.url_for("/results/3"))


def test_client_limits():
    """The time-outs of the settings reach the client, whatever it is asked for."""
    seen = []

    async def look(client, _):
        seen.append(client.timeout)

    exchange(
        HttpSettings(
            "http://backend/results/3",
            streamfit_http_connect_timeout=1,
            streamfit_http_read_timeout=2,
        ),
        look,
    )

    assert [httpx.Timeout(connect=1, read=2, write=2, pool=2)] == seen
