"""The spool contract on every spool."""

from __future__ import annotations

import pytest

from adapters.spool import MemorySpool
from tests.contracts.spool import SpoolContract


class TestMemory(SpoolContract):
    @pytest.fixture
    def spool_for(self):
        return MemorySpool
