from __future__ import annotations

import json
import resource
from contextlib import contextmanager

import pytest
import stamina
from attrs import frozen
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.files import FilesBackend, FilesSettings
from adapters.http import HttpResultSink, HttpSettings
from adapters.memory.backend import MemoryBackend
from adapters.wire.dialect import Dialect
from adapters.wire.result import progress_text, result_text
from tests.contracts.result_sink import ResultSinkContract
from tests.scripted_server import closed_port


class TestMemory(ResultSinkContract):
    @pytest.fixture
    def sink(self, tmp_path):
        return MemoryBackend(None, tmp_path)

    @pytest.fixture
    def seen(self, sink):
        return SeenInMemory(sink)

    @pytest.fixture
    def refusing(self, tmp_path):
        return MemoryBackend(None, tmp_path, accepting=False)

    @pytest.fixture
    def absent(self, tmp_path):
        return MemoryBackend(None, tmp_path, available=False)


class TestFiles(ResultSinkContract):
    @pytest.fixture
    def sink(self, tmp_path):
        return self.into(tmp_path / "not yet" / "there")

    @pytest.fixture
    def seen(self, sink):
        return SeenInFolder(sink.settings.streamfit_result_folder)

    @pytest.fixture
    def refusing(self, tmp_path):
        path = tmp_path / "a file"
        path.touch()
        return self.into(path)

    @pytest.fixture
    def absent(self, tmp_path):
        return OnFullDisk(self.into(tmp_path))

    @staticmethod
    def into(folder):
        return FilesBackend(FilesSettings(folder / "m.h5", folder), draw=lambda _: b"")


class TestHttp(ResultSinkContract):
    @pytest.fixture(autouse=True)
    def _at_once(self):
        with stamina.set_testing(True, attempts=2, cap=True):
            yield

    @pytest.fixture
    def seen(self, httpserver: HTTPServer):
        return SeenByServer(httpserver)

    @pytest.fixture
    def sink(self, seen):
        return self.to(seen.server.url_for("/results/3"))

    @pytest.fixture
    def refusing(self, httpserver: HTTPServer):
        httpserver.expect_request("/results/4").respond_with_data(status=400)
        return self.to(httpserver.url_for("/results/4"))

    @pytest.fixture
    def absent(self):
        with closed_port() as url:
            yield self.to(url)

    @staticmethod
    def to(url):
        return HttpResultSink(HttpSettings(url), Dialect.CURRENT, draw=lambda _: b"")


@frozen
class SeenInMemory:
    backend: MemoryBackend

    def result(self):
        report = self.backend.deliveries[-1].report
        return json.loads(result_text(report, Dialect.CURRENT))

    def model(self):
        return self.backend.deliveries[-1].model

    def progress(self):
        return json.loads(progress_text(self.backend.progress[-1]))


@frozen
class SeenInFolder:
    folder: object

    def result(self):
        return json.loads((self.folder / "result.json").read_text())

    def model(self):
        return (self.folder / "trained_model.h5").read_bytes()

    def progress(self):
        return json.loads((self.folder / "progress.json").read_text())


class SeenByServer:
    def __init__(self, server: HTTPServer):
        self.server = server
        self.results: list[tuple[str, bytes]] = []
        self.states: list[str] = []
        server.expect_request("/results/3", method="POST").respond_with_handler(
            self._on_result
        )
        server.expect_request("/results_metrics/3").respond_with_handler(
            self._on_progress
        )

    def result(self):
        return json.loads(self.results[-1][0])

    def model(self):
        return self.results[-1][1]

    def progress(self):
        return json.loads(self.states[-1]) if self.states else None

    def _on_result(self, request: Request) -> Response:
        model = request.files["trained_model"].read()
        self.results.append((request.form["data"], model))
        return Response()

    def _on_progress(self, request: Request) -> Response:
        self.states.append(request.form["data"])
        return Response()


class OnFullDisk:
    """Lets no file grow while the sink is at work."""

    def __init__(self, sink):
        self.sink = sink

    def report_progress(self, history):
        with self.full():
            self.sink.report_progress(history)

    def deliver(self, report, model):
        with self.full():
            self.sink.deliver(report, model)

    @contextmanager
    def full(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
