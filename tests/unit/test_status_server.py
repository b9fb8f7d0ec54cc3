"""The status over real sockets, for those who behave and those who do not."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from adapters.status import server
from adapters.status.server import Answer, StatusServer
from adapters.status.settings import StatusSettings
from adapters.status.watching import serving
from domain.chronicle import Chronicle
from domain.errors import SettingsInvalid
from domain.phases import Phase

PATIENCE = 30.0


@pytest.fixture
def chronicle():
    return Chronicle()


@pytest.fixture
def status(chronicle, caplog):
    """The port of a job that shows its status."""
    with caplog.at_level("INFO"), shown(chronicle):
        (line,) = [r for r in caplog.records if r.message == "status is shown"]
        yield line.port


def shown(chronicle, host="127.0.0.1", port=0):
    settings = StatusSettings(port, host, 900)
    return serving(settings, chronicle.story, lambda: "<p>täglich</p>", {})


def ask(port, path="/", method="GET", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    told = answer.status, answer.read().decode(), dict(answer.getheaders())
    connection.close()
    return told


def raw(port, request):
    """Return all that comes back for the bytes of *request*."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        try:
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionResetError:
            return b""


def test_page(status):
    """The page, with headers that keep it to itself."""
    code, text, headers = ask(status)

    assert (200, "<p>täglich</p>") == (code, text)
    assert "text/html; charset=utf-8" == headers["Content-Type"]
    assert "no-store" == headers["Cache-Control"]
    assert "nosniff" == headers["X-Content-Type-Options"]
    assert "Python" not in headers["Server"]


def test_metrics(status):
    """Metrics, whatever is asked behind the question mark."""
    code, text, headers = ask(status, "/metrics?name[]=x")

    assert 200 == code
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert "# TYPE streamfit_epochs_total counter" in text


def test_probes(status, chronicle):
    """A job is alive at once, and ready once it has its model."""
    assert (200, "ok\n") == ask(status, "/livez")[:2]
    assert 503 == ask(status, "/readyz")[0]

    chronicle(Phase.WAITING)

    assert (200, "ok\n") == ask(status, "/readyz")[:2]


def test_dead(chronicle, caplog):
    """A job that says nothing while it trains is called dead."""
    settings = StatusSettings(0, "127.0.0.1", 0.01)
    with (
        caplog.at_level("INFO"),
        serving(settings, chronicle.story, str, {}) as pulse,
    ):
        port = next(r.port for r in caplog.records if hasattr(r, "port"))
        for listener in (chronicle, pulse):
            listener(Phase.TRAINING)
        deadline = time.monotonic() + PATIENCE
        while 200 == ask(port, "/livez")[0]:
            assert time.monotonic() < deadline
        code, text, _ = ask(port, "/livez")

    assert 503 == code
    assert "nothing was told for" in text


def test_head(status):
    """HEAD has everything but the body."""
    answer = raw(status, b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"Content-Length: 15" in head
    assert b"" == body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"])
def test_other_methods(method, status):
    """Nothing can be done to a job from here."""
    assert 501 == ask(status, "/", method)[0]


@pytest.mark.parametrize(
    "path",
    ["/x", "/etc/passwd", "/../../etc/passwd", "/%2e%2e/", "/metrics/", "*", "x"],
)
def test_other_paths(path, status):
    """There are no files here, and no folders."""
    answer = raw(status, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert b"404 Not Found" in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("evil.example:80", 421),
        ("127.0.0.1.evil.example", 421),
        ("10.0.0.1", 421),
        ("[::1].evil.example", 421),
        ("]", 421),
    ],
)
def test_hosts(host, code, status):
    """At a loopback address only the machine itself is answered, by no other name."""
    assert code == ask(status, "/livez", host=host)[0]


def test_any_host_elsewhere(chronicle, caplog):
    """At other addresses any name will do: services have names."""
    with caplog.at_level("INFO"), shown(chronicle, "0.0.0.0"):
        port = next(r.port for r in caplog.records if hasattr(r, "port"))
        assert 200 == ask(port, "/livez", host="streamfit.default.svc:9100")[0]


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_nonsense(request_, status):
    """Whatever comes, the next one is answered."""
    raw(status, request_)

    assert 200 == ask(status, "/livez")[0]


def test_slow_clients(status, monkeypatch):
    """Those who only connect, or send a byte now and then, are closed in time."""
    monkeypatch.setattr(server, "SECONDS", 0.5)
    with ExitStack() as held:
        slow = [
            held.enter_context(socket.create_connection(("127.0.0.1", status)))
            for _ in range(server.MOST)
        ]
        for connection in slow[::2]:
            connection.sendall(b"GET / HT")
        deadline = time.monotonic() + PATIENCE
        answered = 0
        while not answered and time.monotonic() < deadline:
            for connection in slow[::2]:
                with suppress(OSError):  # it was closed: that is the point
                    connection.sendall(b"T")
            try:
                answered = ask(status, "/livez")[0]
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)

    assert 200 == answered


def test_many_clients(status):
    """Of a thousand at a time each gets its answer or none, and threads stay few."""
    answers, most = [], 0
    gate = threading.Barrier(40)

    def look():
        gate.wait(PATIENCE)
        for _ in range(25):
            try:
                answers.append(ask(status, "/")[0])
            except (OSError, http.client.HTTPException):
                answers.append(0)

    threads = [threading.Thread(target=look) for _ in range(40)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        names = [t.name for t in threading.enumerate()]
        most = max(most, sum("process_request_thread" in name for name in names))
        time.sleep(0.01)

    assert {200} <= set(answers) <= {0, 200}
    assert most <= server.MOST
    assert 200 == ask(status, "/livez")[0]


def test_gone(chronicle, caplog):
    """Once the job has ended nobody listens, and no thread is left."""
    before = threading.active_count()
    with caplog.at_level("INFO"), shown(chronicle):
        port = next(r.port for r in caplog.records if hasattr(r, "port"))
        ask(port)

    with pytest.raises(ConnectionRefusedError):
        ask(port)
    deadline = time.monotonic() + PATIENCE
    while threading.active_count() > before:
        assert time.monotonic() < deadline


def test_taken(chronicle):
    """A port that is taken, or an address that is not ours, is a wrong variable."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with (
            pytest.raises(SettingsInvalid, match="STREAMFIT_STATUS_PORT"),
            shown(chronicle, port=other.getsockname()[1]),
        ):
            pass
    with (
        pytest.raises(SettingsInvalid, match=r"192\.0\.2\.1"),
        shown(chronicle, "192.0.2.1"),
    ):
        pass


def test_failing_page():
    """A page that cannot be made is an error of that request alone."""
    routes = {"/": lambda: 1 / 0, "/livez": lambda: Answer(b"ok")}
    with StatusServer("127.0.0.1", 0, routes) as here:
        thread = threading.Thread(target=here.serve_forever)
        thread.start()
        port = here.server_address[1]
        try:
            assert b"500" in raw(port, b"GET / HTTP/1.0\r\n\r\n")
            assert 200 == ask(port, "/livez")[0]
        finally:
            here.shutdown()
            thread.join()


def test_ipv6(chronicle, caplog):
    """The other loopback address will do as well."""
    with caplog.at_level("INFO"), shown(chronicle, "::1"):
        port = next(r.port for r in caplog.records if hasattr(r, "port"))
        with socket.create_connection(("::1", port), PATIENCE) as connection:
            connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.0 200 ")
