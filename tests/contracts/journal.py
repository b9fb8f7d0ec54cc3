"""What every journal does."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from attrs import evolve

from domain.progress import (
    LivePosition,
    LiveProgress,
    LiveStreamProgress,
    Opening,
    TrainingProgress,
)
from domain.report import (
    ConfusionMatrix,
    EpochMetrics,
    StreamCounts,
    TrainingReport,
)
from ports import Journal, Run

HISTORY = (
    EpochMetrics({"loss": 0.1 + 0.2, "accuracy": 1.0}, {"loss": math.inf}),
    EpochMetrics({"loss": 1e-300, "accuracy": 0.0}),
)
REPORT = TrainingReport(
    history=HISTORY,
    test={"loss": 0.25},
    training_time=1.5,
    confusion_matrix=ConfusionMatrix((0, 2), ((3, 0), (1, 4))),
    stream=StreamCounts(10, 8, 1),
)


def save(run: Run, content: bytes, steps: int = 0) -> None:
    def write(folder: Path) -> None:
        (folder / "part").mkdir()
        (folder / "part" / "weights").write_bytes(content)

    run.save_checkpoint(write, TrainingProgress(HISTORY, steps, 10, 1.5))


class JournalContract:
    """Subclasses provide *journal*; *again* reopens it as another process would."""

    @pytest.fixture
    def run(self, journal: Journal) -> Run:
        return journal.run("one")

    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        path = tmp_path / "trained.h5"
        path.write_bytes(b"weights")
        return path

    def test_new(self, run: Run) -> None:
        """A new run has got nowhere."""
        assert run.delivered is None
        assert run.checkpoint() is None
        assert run.outbox() is None

    def test_checkpoint(self, run: Run, again) -> None:
        """The latest checkpoint is found, with every bit of its history."""
        save(run, b"first")
        save(run, b"second", steps=7)

        found = again("one").checkpoint()

        assert found is not None
        assert b"second" == (found.folder / "part" / "weights").read_bytes()
        assert TrainingProgress(HISTORY, 7, 10, 1.5) == found.progress

    def test_checkpoint_of_a_live_stream(self, run: Run, again) -> None:
        """So is its place in a stream that is still being written, and all else."""
        place = LivePosition("live", {0: 5, 11: 2**40}, "an id")
        stream = LiveStreamProgress(
            place, StreamCounts(9, 8, 1), "live[0]@3: odd", Opening("00ff", "")
        )
        report = evolve(REPORT, indefinite=True)
        live = LiveProgress(stream, 3, 2, 0.1 + 0.2, 1, report)
        progress = TrainingProgress(HISTORY, seconds=1.5, live=live)

        run.save_checkpoint(lambda _: None, progress)

        found = again("one").checkpoint()
        assert found is not None
        assert progress == found.progress

    def test_checkpoint_that_fails(self, run: Run, again) -> None:
        """One that cannot be written leaves the one before as it was."""
        save(run, b"first")

        def write(folder: Path) -> None:
            (folder / "weights").write_bytes(b"half")
            raise RuntimeError("no more")

        with pytest.raises(RuntimeError, match="no more"):
            run.save_checkpoint(write, TrainingProgress())
        found = again("one").checkpoint()
        assert found is not None
        assert ["part"] == [
            path.name for path in found.folder.iterdir() if path.is_dir()
        ]
        assert HISTORY == found.progress.history

    def test_outbox(self, run: Run, model: Path, again) -> None:
        """A result that is safe is found, as it was put there."""
        report, kept = run.put_into_outbox(REPORT, model)

        assert REPORT == report
        assert b"weights" == kept.read_bytes()
        assert ".h5" == kept.suffix
        found = again("one").outbox()
        assert found is not None
        assert REPORT == found[0]
        assert b"weights" == found[1].read_bytes()

    def test_delivered(self, run: Run, model: Path, again) -> None:
        """After the delivery nothing but the fact is kept."""
        assert run.folder is not None
        (run.folder / "large").write_bytes(b"examples")
        save(run, b"first")
        run.put_into_outbox(REPORT, model)

        run.finish(REPORT)

        found = again("one")
        assert REPORT == found.delivered
        assert found.checkpoint() is None
        assert found.outbox() is None
        assert not (found.folder / "large").exists()

    def test_folder(self, run: Run, again) -> None:
        """What was put into the run's folder is there for the next process."""
        assert run.folder is not None
        (run.folder / "large").write_bytes(b"examples")

        found = again("one").folder

        assert found is not None
        assert b"examples" == (found / "large").read_bytes()

    def test_abandoned(self, run: Run, model: Path, again) -> None:
        """What is given up leaves nothing, and may be begun again."""
        assert run.folder is not None
        (run.folder / "large").write_bytes(b"examples")
        save(run, b"first")
        run.put_into_outbox(REPORT, model)

        run.abandon()

        found = again("one")
        assert found.delivered is None
        assert found.checkpoint() is None
        assert found.outbox() is None
        assert not (found.folder / "large").exists()
        save(found, b"second")

    def test_others(self, run: Run, again) -> None:
        """Another identity is another run; this one stays as it was."""
        save(run, b"first")

        other = again("two")

        assert other.checkpoint() is None
        save(other, b"other")
        mine = again("one").checkpoint()
        assert mine is not None
        assert b"first" == (mine.folder / "part" / "weights").read_bytes()
