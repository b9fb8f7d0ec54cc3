from __future__ import annotations

from pathlib import Path

import pytest
import stamina
from pytest_httpserver import HTTPServer

from adapters.files import FilesBackend, FilesSettings
from adapters.http import HttpModelRepository, HttpSettings
from adapters.memory.backend import MemoryBackend
from tests.contracts.model_repository import MODEL, ModelRepositoryContract
from tests.scripted_server import closed_port


class TestMemory(ModelRepositoryContract):
    @pytest.fixture
    def repository(self, tmp_path):
        return MemoryBackend(MODEL, tmp_path)

    @pytest.fixture
    def empty(self, tmp_path):
        return MemoryBackend(None, tmp_path)

    @pytest.fixture
    def absent(self, tmp_path):
        return MemoryBackend(MODEL, tmp_path, available=False)


class TestFiles(ModelRepositoryContract):
    @pytest.fixture
    def repository(self, tmp_path):
        path = tmp_path / "model.h5"
        path.write_bytes(MODEL)
        return self.of(path)

    @pytest.fixture
    def empty(self, tmp_path):
        return self.of(tmp_path / "nothing.h5")

    @pytest.fixture
    def absent(self):
        # Reading it is an input/output error, as with a network drive that is gone.
        return self.of(Path("/proc/self/mem"))

    @staticmethod
    def of(path):
        return FilesBackend(FilesSettings(path, path.parent), draw=lambda _: b"")


class TestHttp(ModelRepositoryContract):
    @pytest.fixture(autouse=True)
    def _at_once(self):
        with stamina.set_testing(True, attempts=2):
            yield

    @pytest.fixture
    def repository(self, httpserver: HTTPServer, tmp_path):
        httpserver.expect_request("/results/3", method="GET").respond_with_data(
            MODEL, content_type="application/model"
        )
        return HttpModelRepository(
            HttpSettings(httpserver.url_for("/results/3")), tmp_path
        )

    @pytest.fixture
    def empty(self, httpserver: HTTPServer, tmp_path):
        httpserver.expect_request("/results/4").respond_with_data(
            "TrainingResult matching query does not exist.", status=400
        )
        return HttpModelRepository(
            HttpSettings(httpserver.url_for("/results/4")), tmp_path
        )

    @pytest.fixture
    def absent(self, tmp_path):
        with closed_port() as url:
            yield HttpModelRepository(HttpSettings(url), tmp_path)
