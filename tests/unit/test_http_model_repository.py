"""The download, on real sockets; see also the contract."""

from __future__ import annotations

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


def test_truncated(tmp_path):
    """Of a download that breaks off, nothing stays in the next one's file."""
    longer = MODEL + b"of another model"
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + longer
    with ScriptedServer(send(half), ok(MODEL)) as server:
        path = HttpModelRepository(HttpSettings(server.url), tmp_path).fetch()

    assert MODEL == path.read_bytes()
    assert 2 == len(server.requests)


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


def test_not_hdf5(httpserver, repository, tmp_path):
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


class TestRedirects:
    def test_followed(self, httpserver, repository):
        """The model may have moved."""
        httpserver.expect_request("/results/3").respond_with_data(
            status=307, headers={"Location": "/elsewhere"}
        )
        httpserver.expect_request("/elsewhere").respond_with_data(MODEL)

        assert MODEL == repository.fetch().read_bytes()

    def test_credentials_stay(self, tmp_path):
        """Another host does not learn the password."""
        with (
            ScriptedServer(ok(MODEL)) as other,
            ScriptedServer(send(redirect(other.url))) as server,
        ):
            url = server.url.replace("://", "://me:canary@")
            HttpModelRepository(HttpSettings(url), tmp_path).fetch()

        assert b"\r\nAuthorization: Basic " in server.requests[0]
        assert b"authorization" not in other.requests[0].lower()

    @pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://host/model.h5"])
    def test_other_protocols(self, location, tmp_path):
        """A redirect does not open files or other protocols."""
        with (
            ScriptedServer(send(redirect(location))) as server,
            pytest.raises(ModelInvalid, match="UnsupportedProtocol"),
        ):
            HttpModelRepository(HttpSettings(server.url), tmp_path).fetch()

        assert 1 == len(server.requests)

    def test_in_circles(self, httpserver, repository):
        """A few are followed, not any number."""
        httpserver.expect_request("/results/3").respond_with_data(
            status=302, headers={"Location": "/results/3"}
        )

        with pytest.raises(ModelInvalid, match="TooManyRedirects"):
            repository.fetch()

        assert 6 == len(httpserver.log)
