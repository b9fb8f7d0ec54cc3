"""A gateway that takes no metrics, and what is said of it."""

from __future__ import annotations

import base64
import logging
import time

import pytest

from adapters.report.masking import hidden, secrets
from adapters.status import pushing
from adapters.status.pushing import Gateway, Push
from adapters.status.settings import PushSettings
from bootstrap.settings import load
from domain.errors import SettingsInvalid
from domain.events import JobEnded
from domain.phases import Phase
from tests import stories
from tests.scripted_server import ScriptedServer, closed_port, cut, ok, send

CANARY = "c4n4ry-in-a-c0al-mine"
MINUTES = 120.0
"""Longer than any test may take."""


def address(url):
    """Return a server's address with a login."""
    return url.replace("http://", f"http://user:{CANARY}@")


def end(url, code=0):
    """Tell of a job's end, as the wiring does."""
    hide = secrets({"STREAMFIT_PUSHGATEWAY": address(url)})
    gateway = Gateway.at(address(url), "7")
    push = Push(gateway, stories.delivered, lambda text: hidden(text, hide))
    push(Phase.DONE)
    push(JobEnded(code))


@pytest.fixture
def warning(caplog):
    """Return the only warning."""
    caplog.set_level(logging.INFO)

    def only():
        (record,) = caplog.records
        assert "metrics not pushed" == record.message
        assert record.address.startswith("http://127.0.0.1:")
        assert CANARY not in str(record.__dict__)
        return record

    return only


def test_request(caplog):
    """One request, to the deployment's group, with the login in a header alone."""
    with ScriptedServer(ok(b"")) as server:
        end(server.url)

    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    login = base64.b64encode(f"user:{CANARY}".encode()).decode()
    assert "POST /results/3/metrics/job/streamfit/deployment@base64/Nw==" in line
    assert f"Authorization: Basic {login}" in headers
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in headers
    assert b"\nstreamfit_last_exit_code 0.0\n" in body
    assert [] == caplog.records


def test_no_login():
    """Nothing is said of a login where there is none."""
    with ScriptedServer(ok(b"")) as server:
        Push(Gateway.at(server.url, "7"), stories.delivered, str)(JobEnded(0))

    (request,) = server.requests
    assert b"Authorization" not in request


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "400"),
        (send(b"HTTP/1.1 500 " + CANARY.encode() + b"\r\n\r\n"), "500"),
        (send(b"what?\r\n\r\n"), "what?"),
        (cut, "closed connection"),
    ],
    ids=["400", "500", "no HTTP", "cut"],
)
def test_refused(act, says, warning):
    """One warning says why."""
    with ScriptedServer(act) as server:
        end(server.url)

    assert says in warning().reason
    assert 1 == len(server.requests)


def test_away(warning):
    """One warning says so."""
    with closed_port() as url:
        end(url)

    assert "refused" in warning().reason


def test_sent_elsewhere(warning):
    """A password is not taken to whoever is named in an answer."""
    with ScriptedServer(ok(b"")) as other:
        there = other.url.encode()
        moved = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
        with ScriptedServer(send(moved % there)) as server:
            end(server.url)

    assert "302" in warning().reason
    assert [] == other.requests


def dripping(server, connection):
    """Answer with headers that never end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not server.released.wait(0.02):
        connection.sendall(b"x")


@pytest.mark.parametrize("act", [ScriptedServer.hang, dripping])
@pytest.mark.parametrize(
    ("code", "waits"), [(0, "SECONDS"), (78, "SECONDS"), (130, "IN_A_HURRY")]
)
def test_silent(act, code, waits, warning, monkeypatch):
    """The job waits for a while; less if it was told to stop."""
    for name in ("SECONDS", "IN_A_HURRY"):
        monkeypatch.setattr(pushing, name, 0.3 if name == waits else MINUTES)
    began = time.monotonic()
    with ScriptedServer(act) as server:
        end(server.url, code)
        took = time.monotonic() - began

    assert took < MINUTES / 2
    assert "no answer in 0.3 s" == warning().reason


def test_default():
    """Five seconds, and two after a signal."""
    assert (5.0, 2.0) == (pushing.SECONDS, pushing.IN_A_HURRY)


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "http://gateway:9091",
            "https://gateway/prefix/",
            "http://user:p%40ss@[::1]:9091",
        ],
    )
    def test_good(self, url):
        settings = load(PushSettings, {"STREAMFIT_PUSHGATEWAY": url})

        assert url == settings.streamfit_pushgateway
        assert url not in repr(settings)

    @pytest.mark.parametrize(
        "url",
        [
            "gateway:9091",
            "ftp://gateway",
            "http://",
            f"http://user:{CANARY}@",
            f"http://user:{CANARY}/x@gateway",
            "http://gateway:no",
            "http://gateway:0",
            "http://gateway:99999",
            f"http://gateway?token={CANARY}",
            "http://gateway#x",
            f"http://user:{CANARY} x@gateway",
            f"http://[{CANARY}",
            "http://gäteway",
        ],
    )
    def test_bad(self, url):
        """What is no address is refused, and not repeated."""
        with pytest.raises(SettingsInvalid) as refused:
            load(PushSettings, {"STREAMFIT_PUSHGATEWAY": url})

        assert str(refused.value).startswith("STREAMFIT_PUSHGATEWAY: want http")
        assert CANARY not in str(refused.value)

    def test_none(self):
        """Nothing is pushed by default."""
        assert load(PushSettings, {}).streamfit_pushgateway is None
