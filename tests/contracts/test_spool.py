"""The spool contract on every spool."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

from adapters.spool import DiskSpool, MemorySpool, SpoolFor, SpoolSettings
from tests.contracts.spool import LastingSpoolContract, SpoolContract


class ClosesSpools:
    """Turns *make*, a factory of spools, into *spool_for*."""

    @pytest.fixture
    def spool_for(self, make):
        with ExitStack() as spools:
            yield lambda expected: spools.enter_context(closing(make(expected)))


class TestMemory(ClosesSpools, SpoolContract):
    @pytest.fixture
    def make(self):
        return MemorySpool


class TestDisk(ClosesSpools, SpoolContract):
    @pytest.fixture
    def make(self, tmp_path):
        return lambda expected: DiskSpool(expected, tmp_path)


class TestBySize(ClosesSpools, SpoolContract):
    """Nothing, a little or everything fits into memory."""

    @pytest.fixture(params=["0", "50kB", "1GB"])
    def make(self, request, tmp_path):
        return SpoolFor(SpoolSettings(request.param, tmp_path))


class TestInFolder(ClosesSpools, SpoolContract, LastingSpoolContract):
    """Everything is in a folder that lasts, whatever fits into memory."""

    @pytest.fixture
    def factory(self, tmp_path):
        return SpoolFor(SpoolSettings("1GB", tmp_path))

    @pytest.fixture
    def folder(self, tmp_path):
        return tmp_path / "state" / "spool"

    @pytest.fixture
    def make(self, factory, folder):
        return lambda expected: factory(expected, folder)


class TestInsteadOfFolder(ClosesSpools, SpoolContract):
    """The folder for it takes no files."""

    @pytest.fixture(params=["0", "50kB", "1GB"])
    def make(self, request, tmp_path):
        (tmp_path / "state").write_text("in the way")
        factory = SpoolFor(SpoolSettings(request.param, tmp_path))
        return lambda expected: factory(expected, tmp_path / "state" / "spool")
