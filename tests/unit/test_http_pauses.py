"""How long the job waits between attempts, and for all of them, on real sockets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice

import pytest
import stamina

from adapters.http import HttpSettings
from adapters.http.client import NotYet, check, exchange, pauses
from domain.errors import Unavailable
from tests.scripted_server import ScriptedServer, send

BUSY = send(b"HTTP/1.1 503 Later\r\nContent-Length: 4\r\n\r\nbusy")


@pytest.fixture(autouse=True)
def _at_once():
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def get(url, patience=None, **changes):
    async def one_get(client, url):
        async with client.stream("GET", url) as response:
            await check(response)
            await response.aread()

    exchange(HttpSettings(url, **changes), one_get, patience=patience)


class TestPauses:
    def test_lot(self):
        """They grow up to the longest, and no two jobs make the same."""
        mine, other = (list(islice(pauses(5.0), 50)) for _ in range(2))

        assert all(0.8 <= pause <= 1.0 for pause in (mine[0], other[0]))
        assert all(1.6 <= pause <= 2.0 for pause in (mine[1], other[1]))
        assert all(4.0 <= pause <= 5.0 for pause in mine[3:] + other[3:])
        assert not set(mine) & set(other)

    @pytest.mark.parametrize(
        ("header", "pause"),
        [
            ("7", 7.0),
            ("0", 0.0),
            ("9999", 60.0),
            ("soon", None),
            ("-1", None),
            ("", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", 20.0),
            ("Friday, 31-Dec-99 23:59:59 GMT", 20.0),
            ("Fri Dec 31 23:59:59 1999", 20.0),
            ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
            ("Sat, 31 Dec 2050 23:59:59 GMT", 60.0),
            (f"Fri, 31 Dec 1999 23:59:59 +{10**22}", None),
        ],
    )
    def test_pause_by_wish(self, header, pause):
        """A back-end may name the pause, within reason, and dates by its own clock."""
        answer = (
            "HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\n"
            f"Date: Fri, 31 Dec 1999 23:59:39 GMT\r\nRetry-After: {header}\r\n\r\n"
        )
        with (
            ScriptedServer(send(answer.encode())) as server,
            pytest.raises(Unavailable) as reason,
        ):
            get(server.url, streamfit_http_attempts=1)

        assert isinstance(reason.value.__cause__, NotYet)
        assert pause == reason.value.__cause__.pause

    @pytest.mark.parametrize("offset", [timedelta(seconds=30), timedelta(hours=-1)])
    def test_date_by_our_clock(self, offset):
        """Of a back-end that does not tell its time, ours must do."""
        date = format_datetime(datetime.now(UTC) + offset, usegmt=True)
        answer = f"HTTP/1.1 503 Later\r\nRetry-After: {date}\r\n\r\n"
        with (
            ScriptedServer(send(answer.encode())) as server,
            pytest.raises(Unavailable) as reason,
        ):
            get(server.url, streamfit_http_attempts=1)

        least = max(offset.total_seconds() - 20, 0.0)
        assert least <= reason.value.__cause__.pause <= least + 20

    def test_wish_is_spread(self):
        """Nor are all who got the same wish back at one moment."""
        wishes = {NotYet("later", pause=7.0).wish() for _ in range(20)}

        assert 1 < len(wishes)
        assert all(7.0 <= wish <= 8.0 for wish in wishes)

    def test_in_a_hurry(self, httpserver):
        """To wish for no pause is not to wish for none at all."""
        httpserver.expect_request("/results/3").respond_with_data(
            status=429, headers={"Retry-After": "0"}
        )

        with stamina.set_testing(False), pytest.raises(Unavailable, match="429"):
            get(httpserver.url_for("/results/3"), patience=1.0)

        assert len(httpserver.log) <= 3


@pytest.mark.timeout(60)
class TestPatience:
    @pytest.mark.parametrize("testing", [True, False])
    def test_ends_an_attempt(self, testing):
        """The deadline holds in the middle of an attempt, too; told is the last one."""
        with (
            ScriptedServer(BUSY, ScriptedServer.drip) as server,
            stamina.set_testing(testing, attempts=10),
            pytest.raises(Unavailable, match="status 503: 'busy'"),
        ):
            get(server.url, patience=2.0)

        assert 2 == len(server.requests)

    def test_ends_the_first(self):
        """Without an answer until then, that is the reason."""
        with (
            ScriptedServer(ScriptedServer.hang) as server,
            pytest.raises(Unavailable, match=r"no answer within 0\.3 seconds"),
        ):
            get(server.url, patience=0.3)

    @pytest.mark.parametrize("wish", ["50", "Sat, 31 Dec 2050 23:59:59 GMT"])
    def test_ends_a_pause(self, httpserver, wish):
        """Nobody waits for what would come too late."""
        httpserver.expect_request("/results/3").respond_with_data(
            status=503, headers={"Retry-After": wish}
        )

        with stamina.set_testing(False), pytest.raises(Unavailable, match="503"):
            get(httpserver.url_for("/results/3"), patience=0.5)

        assert 1 == len(httpserver.log)
