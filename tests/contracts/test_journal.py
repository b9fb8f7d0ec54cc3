"""The journals keep their contract."""

from __future__ import annotations

import errno
import logging
import os
import resource
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from attrs import evolve

from adapters.memory.journal import MemoryJournal
from adapters.state import FolderJournal
from adapters.state.journal import MOST_DELIVERED, VERSION
from domain.errors import Unavailable
from domain.progress import TrainingProgress
from tests.contracts.journal import HISTORY, REPORT, JournalContract, save


class TestMemory(JournalContract):
    @pytest.fixture
    def journal(self, tmp_path: Path) -> MemoryJournal:
        return MemoryJournal(tmp_path)

    @pytest.fixture
    def again(self, journal: MemoryJournal):
        return journal.run


class TestFolder(JournalContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "state"

    @pytest.fixture
    def journal(self, folder: Path) -> FolderJournal:
        return FolderJournal(folder)

    @pytest.fixture
    def again(self, folder: Path, journal: FolderJournal):
        def reopen(identity: str):
            journal.close()
            found = FolderJournal(folder)
            run = found.run(identity)
            found.close()
            return run

        return reopen

    def test_two_processes(self, folder: Path, journal: FolderJournal) -> None:
        """A second process is told who the first one is; it gets on after its end."""
        journal.run("one")
        script = (
            "from pathlib import Path; from adapters.state import FolderJournal; "
            f"FolderJournal(Path({str(folder)!r})).run('one')"
        )

        def second() -> str:
            return subprocess.run(
                [sys.executable, "-c", script],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            ).stderr

        assert f"{folder}: another process uses this state, {os.getpid()}" in second()
        journal.close()
        assert not second()

    @pytest.mark.parametrize("at", ["part/weights", "sealed.json"])
    @pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
    def test_damaged(self, journal, again, caplog, at: str, damage: str) -> None:
        """A checkpoint that is not what was written is not used, with a reason."""
        run = journal.run("one")
        save(run, b"weights")
        path = run.checkpoint().folder / at
        content = path.read_bytes()
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(content[:-1] if damage == "cut" else b"\xff" + content[1:])

        assert again("one").checkpoint() is None
        (line,) = caplog.records
        assert "state not used" == line.message
        assert "checkpoint" in line.reason

    def test_damaged_note(self, journal, again, caplog) -> None:
        """A number that is no longer the one that was noted is not believed."""
        run = journal.run("one")
        save(run, b"weights")
        path = run.checkpoint().folder / "sealed.json"
        path.write_bytes(path.read_bytes().replace(b"1e-300", b"1e-301"))

        assert again("one").checkpoint() is None
        (line,) = caplog.records
        assert f"{path}: not what was sealed" == line.reason

    def test_note_of_another_kind(self, journal, again, caplog) -> None:
        """What is whole, but not what it should be, is not used either."""
        run = journal.run("one")
        save(run, b"weights")
        run.checkpoint().folder.rename(run.folder / "outbox")

        assert again("one").outbox() is None
        (line,) = caplog.records
        assert f"{run.folder / 'outbox'}: a note of another kind" in line.reason

    def test_killed_between_renames(self, folder, journal, again) -> None:
        """The one before is found if the new one was not in place yet."""
        run = journal.run("one")
        save(run, b"first")
        kept = run.checkpoint().folder
        kept.rename(kept.with_name(f"{kept.name}.old"))

        found = again("one").checkpoint()

        assert b"first" == (found.folder / "part" / "weights").read_bytes()

    def test_killed_while_writing(self, journal, again) -> None:
        """Half a checkpoint is none, and the next one takes its place."""
        run = journal.run("one")
        half = run.folder / "checkpoint.new"
        half.mkdir()
        (half / "weights").write_bytes(b"half")

        assert again("one").checkpoint() is None
        save(again("one"), b"whole")
        assert HISTORY == again("one").checkpoint().progress.history

    def test_left_alone(self, folder, journal, again, caplog) -> None:
        """Runs of others, and of newer versions, are named and not touched."""
        caplog.set_level(logging.WARNING)
        newer = folder / f"v{VERSION + 1}-one"
        newer.mkdir(parents=True)
        (newer / "something").write_text("new")

        assert journal.run("one").checkpoint() is None

        assert "new" == (newer / "something").read_text()
        assert [str(newer)] == [line.path for line in caplog.records]

    def test_nothing_grows(self, folder, journal) -> None:
        """Of many runs some marks remain, and the youngest among them."""
        for number in range(MOST_DELIVERED + 5):
            journal.run(f"{number}").finish(REPORT)

        runs = [path for path in folder.iterdir() if path.is_dir()]
        assert len(runs) <= MOST_DELIVERED + 1
        assert REPORT == journal.run(f"{MOST_DELIVERED + 4}").delivered

    def test_large_reports(self, folder, journal, monkeypatch) -> None:
        """Of many runs with large reports fewer marks remain."""
        monkeypatch.setattr("adapters.state.journal.MOST_BYTES", 10_000)
        report = evolve(REPORT, history=100 * HISTORY)
        for number in range(5):
            journal.run(f"{number}").finish(report)
        journal.run("another")

        runs = {path.name for path in folder.iterdir() if path.is_dir()}
        assert {f"v{VERSION}-4", f"v{VERSION}-another"} == runs
        assert report == journal.run("4").delivered

    def test_no_room(self, journal, tmp_path, monkeypatch) -> None:
        """A disk that is full is an end with the folder's name, and nothing half."""
        run = journal.run("one")
        save(run, b"first")
        model = tmp_path / "model.h5"
        model.write_bytes(b"weights")

        def full(_: Path) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.raises(Unavailable, match=r"state.*No space left"):
            run.save_checkpoint(full, TrainingProgress())
        assert b"first" == (run.checkpoint().folder / "part" / "weights").read_bytes()
        assert ["checkpoint"] == [path.name for path in run.folder.iterdir()]

    def test_model_without_room(self, journal, tmp_path) -> None:
        """It is known beforehand that a model has no room, and how much it needs."""
        model = tmp_path / "model.h5"
        model.touch()
        need = shutil.disk_usage(tmp_path).free + (1 << 36)
        os.truncate(model, need)  # with nothing in it, it takes no room here
        run = journal.run("one")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # a journal that tries all the same fails at once, and does not fill the disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        try:
            for keep in run.keep_model, partial(run.put_into_outbox, REPORT):
                with pytest.raises(
                    Unavailable,
                    match=rf"v1-one/.*: a model needs {need} bytes, \d+ bytes f",
                ):
                    keep(model)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [] == list(run.folder.iterdir())

    def test_delivered_without_room(self, folder, tmp_path) -> None:
        """What is no longer needed makes room first; the result waits until then."""
        (tmp_path / "model.h5").write_bytes(b"weights")
        script = """
import resource, sys
from pathlib import Path
from adapters.state import FolderJournal
from domain.errors import Unavailable
from tests.contracts.journal import REPORT

folder, model = map(Path, sys.argv[1:])
run = FolderJournal(folder).run("one")
(run.folder / "large").write_bytes(b"examples")
run.put_into_outbox(REPORT, model)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    run.finish(REPORT)
except Unavailable as error:
    print(error)
"""
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder), str(tmp_path / "model.h5")],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )

        run = FolderJournal(folder).run("one")
        assert done.stdout.startswith(f"{run.folder}: File too large, ")
        assert ["outbox"] == [path.name for path in run.folder.iterdir()]
        assert run.delivered is None
        assert REPORT == run.outbox()[0]

    def test_folder_of_a_full_disk(self, folder, journal) -> None:
        """Where there is no room to say who has the folder, it is had all the same."""
        journal.run("one").finish(REPORT)
        journal.close()
        script = """
import resource, sys
from pathlib import Path
from adapters.state import FolderJournal

resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
print(FolderJournal(Path(sys.argv[1])).run("one").delivered is not None)
"""
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )

        assert "True\n" == done.stdout

    def test_unusable_folder(self, tmp_path: Path) -> None:
        """A folder that cannot be made is named."""
        (tmp_path / "file").write_text("")

        with pytest.raises(Unavailable, match="file/state: Not a directory"):
            FolderJournal(tmp_path / "file" / "state").run("one")

    def test_files_are_private_to_the_run(self, journal, tmp_path) -> None:
        """The outbox holds a copy: the trainer's own file may go."""
        model = tmp_path / "model.h5"
        model.write_bytes(b"weights")

        _, kept = journal.run("one").put_into_outbox(REPORT, model)
        model.unlink()

        assert b"weights" == kept.read_bytes()
