"""Examples in files; see also the contract."""

from __future__ import annotations

import gc
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.spool import DiskSpool
from domain.errors import SettingsInvalid, SpoolFull
from tests.contracts.spool import assert_examples, examples


def run(script: str, folder: Path) -> list[str]:
    """Run *script* in a Python of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def files_in(folder: Path) -> list[str]:
    """List the files that this process has open or mapped in *folder*, by any name."""
    opened = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # it was the listing's own
            opened.append(str(link.readlink()))
    mapped = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in opened + mapped if str(folder) in line]


@pytest.fixture
def spool(tmp_path):
    spool = DiskSpool(10_000, tmp_path)
    spool.append(examples(0, 10_000))
    yield spool
    spool.close()


@pytest.mark.usefixtures("spool")
def test_without_names(tmp_path):
    """Nothing can be left behind, not even by kill -9: the files have no names."""
    assert 2 == len(files_in(tmp_path))
    assert not any(tmp_path.iterdir())


def test_closed(spool, tmp_path):
    """Closing gives the disk back."""
    spool.close()

    assert [] == files_in(tmp_path)


def test_views_are_all_that_is_mapped(spool, tmp_path):
    """A mapping lives as long as its view, also if the spool is closed before."""
    spool.read(0, 10_000)
    assert 2 == len(files_in(tmp_path))

    batch = spool.read(5_000, 10_000)
    spool.close()
    assert files_in(tmp_path)
    assert_examples(5_000, 10_000, batch)

    del batch
    assert [] == files_in(tmp_path)


def test_abandoned(tmp_path):
    """A spool that nobody closes gives the disk back when nobody has it any more."""
    spool = DiskSpool(10, tmp_path)
    spool.append(examples(0, 10))

    del spool
    gc.collect()

    assert [] == files_in(tmp_path)


@pytest.mark.parametrize("name", ["missing", "file", "x" * 300])
def test_no_such_folder(tmp_path, name):
    """A folder that takes no files is a mistake in the settings, and named."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SettingsInvalid) as refused:
        DiskSpool(10, tmp_path / name).append(examples(0, 10))

    assert str(refused.value).startswith(f"STREAMFIT_SPOOL_DIR: {tmp_path / name}: ")


def test_more_is_needed_than_free(tmp_path):
    """Space for all that is expected is checked before the first one is written."""
    spool = DiskSpool(10**15, tmp_path)

    with pytest.raises(SpoolFull, match=f"{tmp_path}: .* examples need .*, .* free"):
        spool.append(examples(0, 10))

    assert 0 == len(spool)


def test_full(tmp_path):
    """
    When the disk is full, the error says where and how full; what was there is there.

    A limit on the size of files stands in for a full disk: the system writes what it
    can, and refuses the rest.
    """
    script = """
import resource, sys
from pathlib import Path
from adapters.spool import DiskSpool
from domain.errors import SpoolFull
from tests.contracts.spool import assert_examples, examples

resource.setrlimit(resource.RLIMIT_FSIZE, (100_002, 100_002))
spool = DiskSpool(10, Path(sys.argv[1]))
spool.append(examples(0, 20_000))
for _ in range(2):
    try:
        spool.append(examples(20_000, 30_000))
    except SpoolFull as error:
        print(error)
        kept = error
spool.append(examples(20_000, 25_000))
print(len(spool))
assert_examples(0, 25_000, spool.read(0, 30_000))
spool.close()
fds = [Path(f"/proc/self/fd/{number}") for number in range(3, 50)]
print(sum(sys.argv[1] in str(fd.readlink()) for fd in fds if fd.is_symlink()))
"""
    first, second, rows, still_open = run(script, tmp_path)

    for line in (first, second):
        assert line.startswith(f"{tmp_path}: no room for 19.53 KiB more, ")
        assert line.endswith(" free: File too large")
    assert "25000" == rows
    assert "0" == still_open, "the error must not keep the files alive"


def test_memory_stays_flat(tmp_path):
    """A process that writes and reads 400 MB, twice, holds a fraction of it."""
    script = """
import sys
from contextlib import suppress
from pathlib import Path
import numpy as np
from adapters.spool import DiskSpool
from domain.batches import ExampleBatch

def kilobytes(entry):
    status = Path("/proc/self/status").read_text()
    return int(status.split(entry + ":")[1].split()[0])

def batch(start):
    rows = np.arange(start, start + 8_000, dtype=np.uint64)
    return ExampleBatch(np.repeat(rows, 100).reshape(-1, 100), rows)

batch(0)
before = kilobytes("VmRSS")
spool = DiskSpool(500_000, Path(sys.argv[1]))
for start in range(0, 500_000, 8_000):
    spool.append(batch(start))
wanted = sum(range(500_000 + 4_000))
for _ in range(2):
    found = 0
    for start in range(0, 504_000, 8_192):
        part = spool.read(start, start + 8_192)
        assert 100 * int(part.labels.sum()) == int(part.features.sum())
        found += int(part.labels.sum())
    assert wanted == found
print(len(spool))
print(kilobytes("VmHWM") - before)
"""
    rows, growth = map(int, run(script, tmp_path))

    assert 504_000 == rows
    assert growth < 100_000
