"""The spool contract on every spool."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

from adapters.spool import DiskSpool, MemorySpool, SpoolFor, SpoolSettings
from tests.contracts.spool import SpoolContract


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
