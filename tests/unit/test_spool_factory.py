"""Where a spool keeps its examples; see also the contract."""

from __future__ import annotations

import logging
from contextlib import closing

import pytest

from adapters.spool import SpoolFor, SpoolSettings
from domain.errors import SettingsInvalid, SpoolFull
from tests.contracts.spool import assert_examples, examples

ROW = 5
"""Bytes of one example."""


@pytest.fixture
def spool_for(tmp_path):
    return SpoolFor(SpoolSettings(1_000 * ROW, tmp_path))


def kept(caplog):
    return [
        (record.where, record.expected_bytes)
        for record in caplog.records
        if record.msg == "examples are kept"
    ]


@pytest.fixture(autouse=True)
def _facts(caplog):
    caplog.set_level(logging.INFO, "adapters.spool")


def test_in_memory(spool_for, caplog):
    """Examples that just fit stay in memory; the log says so once."""
    with closing(spool_for(1_000)) as spool:
        for start in range(0, 1_000, 10):
            spool.append(examples(start, start + 10))

    assert [("memory", 5_000)] == kept(caplog)


def test_on_disk(spool_for, caplog, tmp_path):
    """If one too many is expected, they are on disk from the first one on."""
    with closing(spool_for(1_001)) as spool:
        spool.append(examples(0, 1))
        spool.append(examples(1, 2))

    assert [(str(tmp_path), 5_005)] == kept(caplog)


def test_more_than_expected(spool_for, caplog, tmp_path):
    """Memory that turns out to be too small is left, and no example is lost."""
    with closing(spool_for(10)) as spool:
        spool.append(examples(0, 1_000))
        early = spool.read(0, 1_000)

        spool.append(examples(1_000, 1_001))
        spool.append(examples(1_001, 2_000))

        assert_examples(0, 2_000, spool.read(0, 2_000))
        assert_examples(0, 1_000, early)
    assert [("memory", 5_000), (str(tmp_path), 5_005)] == kept(caplog)


def test_first_batch_decides(spool_for, caplog, tmp_path):
    """A first batch that is too large by itself never enters memory."""
    with closing(spool_for(10)) as spool:
        spool.append(examples(0, 1_001))

    assert [(str(tmp_path), 5_005)] == kept(caplog)


def test_no_room_to_move_to(tmp_path):
    """If the disk cannot take them, the examples in memory are still there."""
    spool = SpoolFor(SpoolSettings(1_000 * ROW, tmp_path))(1_000)
    spool.append(examples(0, 1_000))
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    tmp_path.write_text("in the way")

    with closing(spool), pytest.raises(SettingsInvalid):
        spool.append(examples(1_000, 1_001))

    assert 1_000 == len(spool)


def test_too_large_for_the_disk(spool_for, tmp_path):
    """A stream without any chance is refused before anything is written."""
    with closing(spool_for(10**15)) as spool:
        with pytest.raises(SpoolFull) as refused:
            spool.append(examples(0, 1))

        assert 0 == len(spool)
    assert str(refused.value).startswith(
        f"{tmp_path}: 1000000000000000 examples need 4,547 TiB, "
    )
    assert str(refused.value).endswith(" free")
    assert not any(tmp_path.iterdir())
