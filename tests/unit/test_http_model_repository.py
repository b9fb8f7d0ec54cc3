"""The download, on real sockets; see also the contract."""

from __future__ import annotations

import gzip
import logging
import stat

import pytest
import stamina

from adapters.http import HttpModelRepository, HttpSettings
from domain.errors import ModelInvalid, Unavailable
from tests.contracts.model_repository import MODEL
from tests.scripted_server import ScriptedServer, ok, send


@pytest.fixture(autouse=True)
def _at_once():
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def repository(httpserver, tmp_path):
    return HttpModelRepository(HttpSettings(httpserver.url_for("/results/3")), tmp_path)


def redirect(location: str) -> bytes:
    return (
        f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def test_private(httpserver, repository):
    """A model may be a secret: nobody else reads its file."""
    httpserver.expect_request("/results/3").respond_with_data(MODEL)

    assert 0o600 == stat.S_IMODE(repository.fetch().stat().st_mode)


def test_name_tells_nothing(httpserver, repository):
    """What is in the file is found out by looking, not by its name."""
    httpserver.expect_request("/results/3").respond_with_data(MODEL)

    assert "" == repository.fetch().suffix


def test_truncated(tmp_path):
    """Of a download that breaks off, nothing stays in the next one's file."""
    longer = MODEL + b"of another model"
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + longer
    with ScriptedServer(send(half), ok(MODEL)) as server:
        path = HttpModelRepository(HttpSettings(server.url), tmp_path).fetch()

    assert MODEL == path.read_bytes()
    assert 2 == len(server.requests)


def test_cut_every_time(tmp_path):
    """Half a model is none, however often it comes."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + MODEL
    with (
        ScriptedServer(send(half)) as server,
        pytest.raises(Unavailable, match="without sending complete message body"),
    ):
        HttpModelRepository(HttpSettings(server.url), tmp_path).fetch()

    assert 3 == len(server.requests)
    assert [] == list(tmp_path.iterdir())


def test_as_it_is(httpserver, repository):
    """The model is asked for unpacked: else its length could not be checked."""
    httpserver.expect_request("/results/3").respond_with_data(MODEL)

    repository.fetch()

    assert "identity" == httpserver.log[0][0].headers["Accept-Encoding"]


def test_empty_body(httpserver, repository, tmp_path):
    """The platform's way to say that the user's code failed is said in words."""
    httpserver.expect_request("/results/3").respond_with_data(b"")

    with pytest.raises(ModelInvalid, match="code of the user's model fails"):
        repository.fetch()

    assert 1 == len(httpserver.log)
    assert [] == list(tmp_path.iterdir())


def test_archive(httpserver, repository):
    """Archives pass, too: whether a model is in them is the trainer's business."""
    archive = b"PK\x03\x04 and so on"
    httpserver.expect_request("/results/3").respond_with_data(archive)

    assert archive == repository.fetch().read_bytes()


@pytest.mark.parametrize("body", [b"\x89HDF", b"PK\x05\x06", b" \x89HDF\r\n\x1a\n"])
def test_almost_a_model(httpserver, repository, body):
    """Half a signature, an empty archive and a signature further on are no models."""
    httpserver.expect_request("/results/3").respond_with_data(body)

    with pytest.raises(ModelInvalid, match="not an HDF5 file nor a ZIP archive"):
        repository.fetch()


def test_text(httpserver, repository, tmp_path):
    """Text in place of a model is quoted, harmlessly and in part."""
    httpserver.expect_request("/results/3").respond_with_data(
        "<html>\n\x1b[31mSign in</html>" + 1000 * " "
    )

    with pytest.raises(ModelInvalid) as reason:
        repository.fetch()

    assert r"it starts with b'<html>\n\x1b[31mSign in</html>" in str(reason.value)
    assert len(str(reason.value)) < 200
    assert [] == list(tmp_path.iterdir())


def test_unknown(httpserver, repository, tmp_path):
    """The platform's own words are passed on."""
    httpserver.expect_request("/results/3").respond_with_data("No such", status=400)

    with pytest.raises(ModelInvalid) as reason:
        repository.fetch()

    url = httpserver.url_for("/results/3")
    assert f"{url}: no model: status 400: 'No such'" == str(reason.value)
    assert [] == list(tmp_path.iterdir())


def test_unavailable_leaves_nothing(httpserver, repository, tmp_path):
    """Nor does a failure leave a file behind."""
    httpserver.expect_request("/results/3").respond_with_data(status=500)

    with pytest.raises(Unavailable):
        repository.fetch()

    assert [] == list(tmp_path.iterdir())


def test_no_workdir(httpserver, tmp_path):
    """A disk that takes no file is named; a restart may find another one."""
    nowhere = tmp_path / "nowhere"
    settings = HttpSettings(httpserver.url_for("/results/3"))

    with pytest.raises(Unavailable, match="nowhere"):
        HttpModelRepository(settings, nowhere).fetch()


class TestSize:
    """The longest download allowed here is as long as the model."""

    @pytest.fixture
    def fetch(self, tmp_path):
        def fetch(url):
            settings = HttpSettings(url, streamfit_max_model_bytes=len(MODEL))
            return HttpModelRepository(settings, tmp_path).fetch()

        return fetch

    def test_just_right(self, httpserver, fetch):
        """The last byte allowed is allowed."""
        httpserver.expect_request("/results/3").respond_with_data(MODEL)

        assert MODEL == fetch(httpserver.url_for("/results/3")).read_bytes()

    def test_announced(self, fetch, tmp_path):
        """Whoever announces too much is left before the body comes."""
        length = len(MODEL) + 1
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length

        def announce(server, connection):
            connection.sendall(head)
            server.hang(connection)

        with ScriptedServer(announce) as server:
            with pytest.raises(ModelInvalid) as reason:
                fetch(server.url)
            assert server.left.wait(10)

        assert (
            f"{server.url}: no model: longer than the {len(MODEL)} bytes of "
            "STREAMFIT_MAX_MODEL_BYTES"
        ) == str(reason.value)
        assert 1 == len(server.requests)
        assert [] == list(tmp_path.iterdir())

    def test_without_end(self, fetch, tmp_path):
        """So is whoever announces nothing and never stops."""

        def pour(_, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(MODEL)

        with ScriptedServer(pour) as server:
            with pytest.raises(ModelInvalid, match="STREAMFIT_MAX_MODEL_BYTES"):
                fetch(server.url)
            assert server.left.wait(10)

        assert [] == list(tmp_path.iterdir())

    def test_packed(self, httpserver, fetch):
        """A body that nobody asked to pack counts as long as it is unpacked."""
        httpserver.expect_request("/results/3").respond_with_data(
            gzip.compress(MODEL + b"x"), headers={"Content-Encoding": "gzip"}
        )

        with pytest.raises(ModelInvalid, match="STREAMFIT_MAX_MODEL_BYTES"):
            fetch(httpserver.url_for("/results/3"))


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_followed(self, httpserver, repository, status):
        """The model may have moved within the back-end."""
        httpserver.expect_request("/results/3").respond_with_data(
            status=status, headers={"Location": "/elsewhere"}
        )
        httpserver.expect_request("/elsewhere").respond_with_data(MODEL)

        assert MODEL == repository.fetch().read_bytes()

    def test_credentials_go_along(self, tmp_path):
        """Within the back-end the password stays good, and stays out of the log."""
        with ScriptedServer(send(redirect("/elsewhere")), ok(MODEL)) as server:
            url = server.url.replace("://", "://me:canary@")
            HttpModelRepository(HttpSettings(url), tmp_path).fetch()

        for request in server.requests:
            assert b"\r\nAuthorization: Basic bWU6Y2FuYXJ5\r\n" in request

    def test_credentials_of_a_redirect(self, tmp_path, caplog):
        """Those that a redirect brings are neither sent nor told."""
        caplog.set_level(logging.INFO)

        def back_with_a_password(server, connection):
            target = server.url.replace("://", "://you:canary@")
            connection.sendall(redirect(target))

        with ScriptedServer(back_with_a_password, ok(MODEL)) as server:
            HttpModelRepository(HttpSettings(server.url), tmp_path).fetch()

        assert 2 == len(server.requests)
        assert b"authorization" not in server.requests[1].lower()
        assert "canary" not in caplog.text

    def test_other_port(self, tmp_path):
        """Another origin is refused, and asked for nothing."""
        with (
            ScriptedServer(ok(MODEL)) as other,
            ScriptedServer(send(redirect(other.url))) as server,
        ):
            url = server.url.replace("://", "://me:canary@")
            with pytest.raises(ModelInvalid) as reason:
                HttpModelRepository(HttpSettings(url), tmp_path).fetch()

        here, there = (s.url.removesuffix("/results/3") for s in (server, other))
        assert str(reason.value).endswith(
            f"a redirect from {here} to {there}, which is another origin"
        )
        assert "canary" not in str(reason.value)
        assert [] == other.requests
        assert 1 == len(server.requests)

    @pytest.mark.parametrize(
        ("location", "origin"),
        [
            ("http://169.254.169.254/latest/meta-data", "http://169.254.169.254"),
            ("//metadata.example/", "http://metadata.example"),
            ("https://127.0.0.1/", "https://127.0.0.1"),
            ("ftp://host/model.h5", "ftp://host"),
            ("file:///etc/passwd", "file://127.0.0.1"),
        ],
        ids=["host", "without a scheme", "scheme", "protocol", "file"],
    )
    def test_other_origin(self, location, origin, tmp_path):
        """So are other hosts and other schemes, encryption included."""
        with (
            ScriptedServer(send(redirect(location))) as server,
            pytest.raises(ModelInvalid, match=f" to {origin}(:[0-9]+)?, which is"),
        ):
            HttpModelRepository(HttpSettings(server.url), tmp_path).fetch()

        assert 1 == len(server.requests)

    def test_in_circles(self, httpserver, repository):
        """A few are followed, not any number."""
        httpserver.expect_request("/results/3").respond_with_data(
            status=302, headers={"Location": "/results/3"}
        )

        with pytest.raises(ModelInvalid, match="more than 5 redirects"):
            repository.fetch()

        assert 6 == len(httpserver.log)

    def test_nowhere(self, httpserver, repository):
        """A redirect that names no place is a refusal."""
        httpserver.expect_request("/results/3").respond_with_data(status=302)

        with pytest.raises(ModelInvalid, match="status 302"):
            repository.fetch()
