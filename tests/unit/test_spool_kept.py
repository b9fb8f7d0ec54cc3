"""Examples that outlive the process; see also the contract."""

from __future__ import annotations

import gc
import json
import logging
import random
import shutil
import subprocess
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from adapters.spool import SpoolFor, SpoolSettings
from domain.batches import ExampleBatch
from domain.errors import SpoolFull
from tests.contracts.spool import assert_examples, examples, progress
from tests.unit.test_spool_disk import files_in, run

FILES = ("marks", "features", "labels")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "spool"


@pytest.fixture
def factory(tmp_path):
    return SpoolFor(SpoolSettings("1GB", tmp_path))


@pytest.fixture
def filled(factory, folder):
    """A folder with marks at 10, 20, 30 and 40 rows of 100."""
    spool = factory(100, folder)
    for rows in (10, 20, 30, 40):
        spool.append(examples(rows - 10, rows))
        spool.note(progress(rows, 100))
        spool.close()
        if rows < 40:
            spool, _ = factory.reopen(folder)
    return folder


def warnings(caplog) -> list[str]:
    return [
        r.reason for r in caplog.records if "state not used" == r.message and r.reason
    ]


def write_marks(folder: Path, marks: list[dict[str, object]]) -> None:
    """Replace the list of marks, each with the checksum that it should have."""
    texts = [json.dumps(mark).encode() for mark in marks]
    lines = [b"%08x %s\n" % (zlib.crc32(text), text) for text in texts]
    (folder / "marks").write_bytes(b"".join(lines))


def read_marks(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "marks").read_bytes().splitlines()
    return [json.loads(line[9:]) for line in lines]


class TestKilled:
    def test_at_any_moment(self, factory, folder, caplog):
        """
        A spool is filled by processes that are killed, one after the other.

        Each of them goes on with what the one before it noted; no row is ever another
        one than it must be, and nothing of that is worth a warning.
        """
        seed = random.randrange(1 << 32)
        print("seed", seed)  # noqa: T201
        moments, before, kills = random.Random(seed), 0, 0
        while kills < 8 or not before:
            with filling(folder) as process:
                time.sleep(moments.uniform(0, 0.15))
                process.kill()
                assert -9 == process.wait(60)
            kills += 1

            if (left := factory.reopen(folder)) is not None:
                spool, found = left
                with closing(spool):
                    rows = len(spool)
                    assert progress(rows, 10**9) == found
                    assert before <= rows
                    if rows:
                        assert_examples(0, rows, spool.read(0, rows))
                before = rows

        assert not caplog.records

    FILL = """
import random, sys
from itertools import count
from pathlib import Path
from adapters.spool import SpoolFor, SpoolSettings, kept
from tests.contracts.spool import examples, progress

kept._BYTES = 20_000  # marks come often: the kill is to meet some of them
folder = Path(sys.argv[1])
factory = SpoolFor(SpoolSettings("1GB", folder.parent))
spool, found = factory.reopen(folder) or (factory(10, folder), None)
print("ready", flush=True)
sizes = random.Random(len(spool))
while True:
    stop = len(spool) + sizes.randrange(1, 300)
    spool.append(examples(len(spool), stop))
    spool.note(progress(stop, 10**9))
"""


class filling(subprocess.Popen):  # noqa: N801  # a context
    """A process that fills the spool in *folder*, from the moment that it begins."""

    def __init__(self, folder: Path):
        folder.parent.mkdir(exist_ok=True)
        super().__init__(
            [sys.executable, "-c", TestKilled.FILL, str(folder)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "ready\n" == self.stdout.readline()


class TestDamage:
    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.parametrize("damage", ["cut", "flipped"])
    def test_anywhere(self, factory, filled, tmp_path, name, damage, caplog):
        """Whatever byte is missing or wrong, what is read is right, and can go on."""
        whole = tmp_path / "whole"
        filled.rename(whole)
        content = (whole / name).read_bytes()
        seed = random.randrange(1 << 32)
        print("seed", seed)  # noqa: T201
        bits, found_rows = random.Random(seed), set()
        positions = bits.sample(range(len(content)), min(len(content), 300))
        for position in positions:
            shutil.copytree(whole, filled, dirs_exist_ok=True)
            bad = bytearray(content)
            if damage == "cut":
                del bad[position:]
            else:
                bad[position] ^= 1 << bits.randrange(8)
            (filled / name).write_bytes(bad)

            left = factory.reopen(filled)

            if left is None:
                found_rows.add(0)
                continue
            spool, found = left
            with closing(spool):
                rows = len(spool)
                found_rows.add(rows)
                assert progress(rows, 100) == found
                spool.append(examples(rows, 50))
                assert_examples(0, 50, spool.read(0, 100))
        # A mark that is wrong is passed over; 20 if it was the end of its line.
        expected = {30, 40} if (name, damage) == ("marks", "flipped") else {0, 10, 30}
        assert expected == found_rows - {20}
        assert [] == files_in(filled)
        assert warnings(caplog) or (name, damage) == ("marks", "cut")

    def test_said(self, factory, filled, caplog):
        """It is said what is not used, and why."""
        content = (filled / "features").read_bytes()
        (filled / "features").write_bytes(content[:100] + b"?" + content[101:])

        spool, found = factory.reopen(filled)
        spool.close()

        assert progress(20, 100) == found
        assert [f"{filled}/features: not the bytes that were noted"] == warnings(caplog)

    def test_torn_line(self, factory, filled, caplog):
        """A mark that was being written is none, and its place is taken."""
        with (filled / "marks").open("ab") as file:
            file.write(b'1234abcd {"rows": 99')

        for rows in (50, 60):
            spool, found = factory.reopen(filled)
            assert progress(rows - 10, 100) == found
            spool.append(examples(rows - 10, rows))
            spool.note(progress(rows, 100))
            spool.close()

        assert not caplog.records

    def test_foreign(self, factory, filled, caplog):
        """Files of others are not believed."""
        (filled / "marks").write_bytes(random.Random(7).randbytes(100_000) + b"\n")

        assert factory.reopen(filled) is None
        assert f"{filled}/marks: a line is not what was written" in warnings(caplog)

    @pytest.mark.parametrize("name", ["features", "labels"])
    def test_missing(self, factory, filled, caplog, name):
        """A column without a file is damage."""
        (filled / name).unlink()

        assert factory.reopen(filled) is None
        assert [f"{filled}/{name}: No such file or directory"] == warnings(caplog)
        assert [] == files_in(filled)

    def test_swapped(self, factory, filled):
        """Columns are not taken for each other."""
        (filled / "features").rename(filled / "x")
        (filled / "labels").rename(filled / "features")
        (filled / "x").rename(filled / "labels")

        assert factory.reopen(filled) is None

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"version": 2}, "of version 2, this is version 1"),
            ({"rows": 0}, "a mark that does not follow the one before"),
            ({"spec": None}, "a mark that does not follow the one before"),
            ({"rows": "many"}, "a line is no mark"),
            ({"more": 1}, "a line is no mark"),
            ({"progress": 1}, "a line is no mark"),
        ],
    )
    def test_no_mark(self, factory, filled, caplog, changes, reason):
        """A mark that says something else than marks do is passed over."""
        *marks, last = read_marks(filled)
        write_marks(filled, [*marks, {**last, **changes}])

        spool, found = factory.reopen(filled)
        spool.close()

        assert progress(30, 100) == found
        (said,) = warnings(caplog)
        assert said.startswith(f"{filled}/marks: {reason}")

    @pytest.mark.parametrize("dtype", ["object", "no type", "uint64"])
    def test_wrong_spec(self, factory, filled, caplog, dtype):
        """Rows are not read as what they are not."""
        marks = read_marks(filled)
        for mark in marks:
            mark["spec"]["features"]["dtype"] = dtype
        write_marks(filled, marks)

        assert factory.reopen(filled) is None
        assert warnings(caplog)

    def test_rows_that_are_no_bytes(self, factory, filled):
        """Bytes are never taken for addresses, even with the right checksums."""
        features, labels = ((filled / name).read_bytes() for name in FILES[1:])
        mark, *_ = read_marks(filled)
        mark["spec"]["features"] = {"dtype": "object", "shape": []}
        mark["sums"] = [zlib.crc32(features[:80]), zlib.crc32(labels[:10])]
        write_marks(filled, [mark])

        assert factory.reopen(filled) is None

    def test_rows_of_nothing(self, factory, filled):
        """Nor is a mark believed that has rows without saying of what."""
        mark, *_ = read_marks(filled)
        write_marks(filled, [{**mark, "spec": None}])

        assert factory.reopen(filled) is None

    def test_two_specs(self, factory, filled):
        """Rows of two types are not in one column."""
        *marks, last = read_marks(filled)
        last["spec"]["features"]["dtype"] = "int16"
        write_marks(filled, [*marks, last])

        spool, found = factory.reopen(filled)
        spool.close()

        assert progress(30, 100) == found


class TestMarks:
    def test_not_every_note(self, factory, folder):
        """Notes are many, and marks few: one a second, and that of the end."""
        with closing(factory(20_001, folder)) as spool:
            for row in range(20_000):
                if row % 1_000 == 0:
                    spool.append(examples(row, row + 1_000))
                spool.note(progress(row, 20_001))
            spool.note(progress(20_001, 20_001))

            assert 2 <= len(read_marks(folder)) < 200

    def test_many_bytes(self, factory, folder):
        """What took long to read is noted though it came within a second."""
        rows = np.zeros((70_000, 1_000), np.uint8)
        spool = factory(140_000, folder)
        for stop in (70_000, 140_000):
            spool.append(ExampleBatch(rows, rows[:, 0]))
            spool.note(progress(stop, 200_000))

        again, found = factory.reopen(folder)

        again.close()
        assert progress(140_000, 200_000) == found
        spool.close()

    def test_cannot_be_written(self, factory, folder, caplog):
        """The job goes on without notes; it is said once that it does."""
        with closing(factory(10, folder)) as spool:
            (folder / "marks").mkdir()
            for stop in range(1, 10):
                spool.append(examples(stop - 1, stop))
                spool.note(progress(stop, stop))

            assert_examples(0, 9, spool.read(0, 10))
        (warning,) = caplog.records
        assert "examples are not kept: a killed job reads them again" == warning.message
        assert f"{folder}: Is a directory" == warning.reason


class TestFiles:
    def test_closed(self, factory, folder):
        """Closing leaves files behind, and none of them open."""
        with closing(factory(10, folder)) as spool:
            spool.append(examples(0, 10))
            spool.note(progress(10, 10))
        with closing(factory.reopen(folder)[0]):
            assert 3 == len(files_in(folder))

        assert [] == files_in(folder)
        assert set(FILES) == {path.name for path in folder.iterdir()}

    def test_abandoned(self, factory, folder):
        """A spool that nobody closes closes its files when nobody has it any more."""
        spool = factory(10, folder)
        spool.append(examples(0, 10))
        spool.note(progress(10, 10))

        del spool
        gc.collect()

        assert [] == files_in(folder)

    def test_emptied(self, factory, folder):
        """Whatever else is in the folder makes room; nothing beyond it does."""
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "c").write_text("c")
        (folder.parent / "mine").mkdir()
        (folder / "link").symlink_to(folder.parent / "mine")

        factory(10, folder).close()

        assert [] == list(folder.iterdir())
        assert (folder.parent / "mine").exists()

    def test_memory_is_not_used(self, factory, folder, caplog):
        """They go to the folder, though they would fit into memory."""
        with (
            caplog.at_level(logging.INFO),
            closing(factory(1_000, folder)) as spool,
        ):
            spool.append(examples(0, 1))

        (said,) = caplog.records
        assert "examples are kept" == said.message
        assert (str(folder), 5_000) == (said.where, said.expected_bytes)


class TestNoRoom:
    def test_in_advance(self, factory, folder, caplog):
        """What will not fit is not begun with."""
        with (
            closing(factory(10**14, folder)) as spool,
            pytest.raises(SpoolFull),  # there is no room for it elsewhere either
        ):
            spool.append(examples(0, 10))

        (warning,) = caplog.records
        assert "examples are not kept: a killed job reads them again" == warning.message
        assert (str(folder), 5 * 10**14) == (warning.path, warning.needed_bytes)
        assert 0 < warning.free_bytes < 5 * 10**14
        assert [] == files_in(folder)

    def test_no_folder(self, factory, folder, caplog):
        """A folder that cannot be made is no reason to end the job."""
        folder.parent.write_text("in the way")

        with closing(factory(10, folder)) as spool:
            spool.note(progress(0, 10))
            for row in range(10):
                spool.append(examples(row, row + 1))
                spool.note(progress(row + 1, 10))
            assert_examples(0, 10, spool.read(0, 10))

        (warning,) = caplog.records
        assert (str(folder), f"{folder}: Not a directory") == (
            warning.path,
            warning.reason,
        )
        assert factory.reopen(folder) is None

    SCRIPT = """
import logging, resource, sys
from pathlib import Path
from adapters.spool import SpoolFor, SpoolSettings
from domain.errors import SpoolFull
from tests.contracts.spool import assert_examples, examples, progress
from tests.unit.test_spool_disk import files_in

tmp = Path(sys.argv[1])
folder = tmp / "state" / "spool"
logging.basicConfig(stream=sys.stdout, format="%(message)s %(needed_bytes)s")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_002, 100_002))
factory = SpoolFor(SpoolSettings({memory!r}, tmp))
spool = factory(30, folder)
spool.append(examples(0, 20_000))
spool.note(progress(20_000, 60_000))
early = spool.read(10_000, 20_000)
try:
    spool.append(examples(20_000, 30_000))
    spool.note(progress(30_000, 60_000))
    spool.append(examples(30_000, 50_000))
    assert_examples(0, 50_000, spool.read(0, 60_000))
except SpoolFull as error:
    print(error)
assert_examples(10_000, 20_000, early)
del early
print(len(spool), sorted(path.name for path in folder.iterdir()))
print(len(files_in(folder)))
spool.close()
print(len(files_in(folder)))
left = factory.reopen(folder)
if left is not None:
    print(len(left[0]), left[1] == progress(20_000, 60_000))
"""

    def test_in_the_middle(self, tmp_path):
        """
        When the folder is full, the examples move to where there is room.

        A limit on the size of files stands in for a full disk.
        """
        warning, rows, still_open, closed = run(
            self.SCRIPT.format(memory="1GB"), tmp_path
        )

        assert "examples are not kept: a killed job reads them again 150000" == warning
        assert "50000 []" == rows
        assert ("0", "0") == (still_open, closed)

    def test_nowhere(self, tmp_path):
        """When there is no room at all, what was noted is there for the next job."""
        warning, error, rows, still_open, closed, found = run(
            self.SCRIPT.format(memory="0"), tmp_path
        )

        assert warning.endswith(" 150000")
        assert error.startswith(f"{tmp_path}: no room for ")
        assert "20000 ['features', 'labels', 'marks']" == rows
        assert ("3", "0") == (still_open, closed)
        assert "20000 True" == found
