"""The upload, on real sockets; see also the contract."""

from __future__ import annotations

import email
import json

import pytest
import stamina
from attrs import evolve
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.http import HttpResultSink, HttpSettings
from adapters.wire.dialect import Dialect
from adapters.wire.result import result_text
from domain.errors import DeploymentInvalid, Unavailable
from domain.report import ConfusionMatrix
from tests.contracts.result_sink import REPORT, TRAINED
from tests.scripted_server import ScriptedServer, cut, ok, send


@pytest.fixture(autouse=True)
def _at_once():
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "anything.keras"
    path.write_bytes(TRAINED)
    return path


def picture_of(matrix: ConfusionMatrix | None) -> bytes:
    return b"placeholder" if matrix is None else f"{matrix.counts}".encode()


def broken_picture_of(_: ConfusionMatrix | None) -> bytes:
    raise OSError("no room for fonts")


def sink_to(url, dialect=Dialect.CURRENT, draw=picture_of, *, wanted=False, **changes):
    return HttpResultSink(HttpSettings(url, **changes), dialect, draw, wanted)


class Backend:
    """Takes results, and answers with *statuses* in turn."""

    def __init__(self, server: HTTPServer, *statuses: int):
        self.statuses = list(statuses)
        self.url = server.url_for("/results/3")
        self.forms: list[dict[str, str]] = []
        self.files: list[dict[str, tuple[str | None, bytes]]] = []
        server.expect_request("/results/3", method="POST").respond_with_handler(
            self._on
        )

    def _on(self, request: Request) -> Response:
        self.forms.append(request.form.to_dict())
        self.files.append(
            {name: (file.filename, file.read()) for name, file in request.files.items()}
        )
        return Response(status=self.statuses.pop(0))


class TestParts:
    @pytest.mark.parametrize("dialect", Dialect)
    def test_data_and_model(self, httpserver, model, dialect):
        """There are two parts, under the platform's names."""
        backend = Backend(httpserver, 200)

        sink_to(backend.url, dialect).deliver(REPORT, model)

        assert [{"data": result_text(REPORT, dialect)}] == backend.forms
        assert [{"trained_model": ("trained_model.h5", TRAINED)}] == backend.files

    def test_confusion_matrix(self, httpserver, model):
        """The picture is the third, misspelt as the platform expects it."""
        backend = Backend(httpserver, 200)

        sink_to(backend.url, wanted=True).deliver(REPORT, model)

        assert ("confusion_matrix.png", b"((3, 1), (0, 4))") == backend.files[0][
            "confussion_matrix"
        ]

    def test_placeholder(self, httpserver, model):
        """Without the picture the platform would refuse the result: send any."""
        backend = Backend(httpserver, 200)
        report = evolve(REPORT, confusion_matrix=None)

        sink_to(backend.url, wanted=True).deliver(report, model)

        assert ("confusion_matrix.png", b"placeholder") == backend.files[0][
            "confussion_matrix"
        ]
        assert None is json.loads(backend.forms[0]["data"])["confusion_matrix"]

    def test_drawing_fails(self, httpserver, model, caplog):
        """A picture that cannot be drawn does not cost the result."""
        backend = Backend(httpserver, 200)

        sink_to(backend.url, draw=broken_picture_of, wanted=True).deliver(REPORT, model)

        _, picture = backend.files[0]["confussion_matrix"]
        assert picture.startswith(b"\x89PNG\r\n\x1a\n")
        assert "no room for fonts" in caplog.text

    @pytest.mark.parametrize(
        ("dialect", "wanted", "test"),
        [
            (Dialect.CURRENT, False, REPORT.test),
            (Dialect.CURRENT, True, {}),
            (Dialect.Y2020, True, REPORT.test),
        ],
    )
    def test_no_picture(self, httpserver, model, dialect, wanted, test):
        """It goes out only if wanted, after a test, to a platform that knows it."""
        backend = Backend(httpserver, 200)

        sink_to(backend.url, dialect, draw=broken_picture_of, wanted=wanted).deliver(
            evolve(REPORT, test=test), model
        )

        assert {"trained_model"} == backend.files[0].keys()

    def test_bytes(self, model):
        """The body is multipart for others, too, and its length is announced."""
        with ScriptedServer(ok(b"")) as server:
            sink_to(server.url, wanted=True).deliver(REPORT, model)

        _, _, message = server.requests[0].partition(b"\r\n")
        parts = email.message_from_bytes(message).get_payload()
        assert [
            (None, "form-data", "data"),
            ("trained_model.h5", "form-data", "trained_model"),
            ("confusion_matrix.png", "form-data", "confussion_matrix"),
        ] == [
            (
                part.get_filename(),
                part.get_content_disposition(),
                part.get_param("name", header="content-disposition"),
            )
            for part in parts
        ]
        assert b"content-length" in message.lower()
        assert (
            result_text(REPORT, Dialect.CURRENT)
            == parts[0].get_payload(decode=True).decode()
        )


class TestAnswers:
    def test_again(self, httpserver, model):
        """Each attempt sends everything from the start."""
        backend = Backend(httpserver, 500, 429, 500, 200)

        sink_to(backend.url).deliver(REPORT, model)

        assert 4 * [{"data": result_text(REPORT, Dialect.CURRENT)}] == backend.forms
        assert 4 * [{"trained_model": ("trained_model.h5", TRAINED)}] == backend.files

    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_accepted(self, httpserver, model, status):
        """Once accepted, nothing more is sent."""
        backend = Backend(httpserver, status, 500)

        sink_to(backend.url).deliver(REPORT, model)

        assert 1 == len(backend.forms)

    def test_accepted_without_the_end(self, model):
        """A success whose text breaks off is a success."""
        act = send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        with ScriptedServer(act, ok(b"")) as server:
            sink_to(server.url).deliver(REPORT, model)

        assert 1 == len(server.requests)

    def test_patience(self, httpserver, model):
        """A delivery is limited by time, not by the number of attempts."""
        backend = Backend(httpserver, 500, 502, 503, 200)

        with stamina.set_testing(False):
            sink_to(backend.url, streamfit_http_attempts=1).deliver(REPORT, model)

        assert 4 == len(backend.forms)

    def test_impatience(self, httpserver, model):
        """After the deadline the back-end counts as away."""
        backend = Backend(httpserver, *[503] * 50)

        with (
            stamina.set_testing(False),
            pytest.raises(Unavailable, match="status 503"),
        ):
            sink_to(backend.url, streamfit_delivery_deadline=1.0).deliver(REPORT, model)

        assert 2 <= len(backend.forms) < 50

    def test_cut_after_the_body(self, model):
        """Whether it was stored is unknown; the platform takes it once more."""
        with ScriptedServer(cut, ok(b"")) as server:
            sink_to(server.url).deliver(REPORT, model)

        bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
        assert 2 == len(bodies)
        assert all(TRAINED in body for body in bodies)

    @pytest.mark.parametrize("status", [302, 307, 400, 401, 413])
    def test_refused(self, httpserver, model, status):
        """Nothing was accepted, and nothing would be."""
        httpserver.expect_request("/results/3").respond_with_data(
            "because", status=status, headers={"Location": "/elsewhere"}
        )
        url = httpserver.url_for("/results/3")

        with pytest.raises(DeploymentInvalid) as reason:
            sink_to(url).deliver(REPORT, model)

        assert f"{url}: the result was refused: status {status}: 'because'" == str(
            reason.value
        )
        assert ["/results/3"] == [request.path for request, _ in httpserver.log]
