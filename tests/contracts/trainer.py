"""What every trainer does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from attrs import define, field

from adapters.memory.journal import MemoryJournal
from domain.batches import ExampleBatch
from domain.errors import ModelInvalid, StreamUnreadable
from domain.events import StepsDone
from domain.keeping import Keeping
from domain.report import EpochMetrics
from ports import Dataset, TrainableModel, Trainer
from tests.models import ArrayDataset, examples


@define
class BrokenDataset(ArrayDataset):
    """Breaks off in the middle of a pass."""

    error: Exception = field(kw_only=True)
    good_passes: int = 0

    def batches(
        self, size: int, epoch: int = 0, start: int = 0
    ) -> Iterator[ExampleBatch]:
        for batch in super().batches(size, epoch):
            if self.passes > self.good_passes:
                yield batch[: len(batch) // 2]
                raise self.error
            yield batch


def guessed(model: TrainableModel, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes and scores that *model* has for *dataset*."""
    guesses = list(model.classify(dataset))
    return (
        np.concatenate([np.asarray(one.classes) for one in guesses]),
        np.concatenate([np.asarray(one.scores) for one in guesses]),
    )


class TrainerContract:
    """
    What every trainer does; subclasses provide *trainer* and *model_path*.

    The trainer runs three epochs, on examples that suit the model *digits*, and writes
    into *tmp_path*.
    """

    @pytest.fixture
    def data(self) -> ArrayDataset:
        return ArrayDataset(examples("digits", 70))

    @pytest.fixture
    def held_out(self) -> ArrayDataset:
        return ArrayDataset(examples("digits", 40, seed=1))

    def test_listener_once_per_epoch(
        self,
        trainer: Trainer,
        model_path: Path,
        data: ArrayDataset,
        held_out: ArrayDataset,
    ) -> None:
        """The listener hears of every epoch in order, on the training thread."""
        heard: list[tuple[int, EpochMetrics]] = []
        model = trainer.load(model_path)

        model.fit(data, held_out, lambda e: heard.append((threading.get_ident(), e)))

        assert [threading.get_ident()] * 3 == [thread for thread, _ in heard]
        losses = [epoch.training["loss"] for _, epoch in heard]
        assert sorted(losses, reverse=True) == losses
        assert 3 == len(set(losses))
        for _, epoch in heard:
            assert ["loss", "accuracy"] == list(epoch.training)
            assert ["loss", "accuracy"] == list(epoch.validation)

    def test_steps(
        self,
        trainer: Trainer,
        model_path: Path,
        data: ArrayDataset,
        held_out: ArrayDataset,
    ) -> None:
        """Within an epoch it is told how far that is, up to its end, then of the next.

        The listener hears of that on the training thread.
        """
        heard: list[tuple[int, StepsDone | EpochMetrics]] = []

        def listen(event: StepsDone | EpochMetrics) -> None:
            heard.append((threading.get_ident(), event))

        trainer.load(model_path).fit(data, held_out, listen, None, listen)

        assert {threading.get_ident()} == {thread for thread, _ in heard}
        epoch = step = steps = 0
        for _, event in heard:
            if isinstance(event, EpochMetrics):
                assert step == steps
                epoch, step = epoch + 1, 0
                continue
            assert (epoch + 1, 3) == (event.epoch, event.epochs)
            assert step < event.step <= event.steps
            step, steps = event.step, event.steps
        assert 3 == epoch

    def test_no_validation(
        self, trainer: Trainer, model_path: Path, data: ArrayDataset
    ) -> None:
        """Without a validation part there are no validation metrics."""
        heard: list[EpochMetrics] = []

        trainer.load(model_path).fit(data, None, heard.append)

        assert [{}, {}, {}] == [epoch.validation for epoch in heard]

    def test_reads_once_per_epoch(
        self,
        trainer: Trainer,
        model_path: Path,
        data: ArrayDataset,
        held_out: ArrayDataset,
    ) -> None:
        """Every epoch reads both parts afresh; nothing is kept."""
        trainer.load(model_path).fit(data, held_out, lambda _: None)

        assert 3 == data.passes
        assert 3 == held_out.passes

    def test_counts_epochs(
        self,
        trainer: Trainer,
        model_path: Path,
        data: ArrayDataset,
        held_out: ArrayDataset,
    ) -> None:
        """The training part is told which epoch it is read for."""
        model = trainer.load(model_path)

        model.fit(data, held_out, lambda _: None)
        model.evaluate(held_out)

        assert [0, 1, 2] == data.epochs
        assert {0} == set(held_out.epochs)

    @pytest.mark.parametrize("kind", [StreamUnreadable, ValueError, OSError])
    @pytest.mark.parametrize("part", ["training", "validation"])
    def test_dataset_error_in_fit(
        self,
        trainer: Trainer,
        model_path: Path,
        data: ArrayDataset,
        kind: type[Exception],
        part: str,
    ) -> None:
        """An error while reading comes out of fit as it was raised, cause and all."""
        error = kind("data[0]@7: gone")
        cause = error.__cause__ = KeyError("the cause")
        broken = BrokenDataset(examples("digits", 40), error=error)
        parts = (broken, data) if part == "training" else (data, broken)

        with pytest.raises(kind) as raised:
            trainer.load(model_path).fit(*parts, lambda _: None)

        assert error is raised.value
        assert cause is raised.value.__cause__

    def test_dataset_error_in_a_later_epoch(
        self, trainer: Trainer, model_path: Path
    ) -> None:
        """So does one that shows up when the examples are read again."""
        error = StreamUnreadable("data[0]@7: gone")
        heard: list[EpochMetrics] = []
        broken = BrokenDataset(examples("digits", 40), error=error, good_passes=2)

        with pytest.raises(StreamUnreadable) as raised:
            trainer.load(model_path).fit(broken, None, heard.append)

        assert error is raised.value
        assert 2 == len(heard)

    @pytest.mark.parametrize("method", ["evaluate", "confusion_matrix"])
    def test_dataset_error_afterwards(
        self, trainer: Trainer, model_path: Path, method: str
    ) -> None:
        """And so do errors from the test part."""
        error = StreamUnreadable("data[0]@7: gone")
        broken = BrokenDataset(examples("digits", 40), error=error)

        with pytest.raises(StreamUnreadable) as raised:
            getattr(trainer.load(model_path), method)(broken)

        assert error is raised.value

    @pytest.mark.parametrize("kind", [ValueError, TypeError, OSError, SystemExit])
    def test_listener_error(
        self,
        trainer: Trainer,
        model_path: Path,
        data: ArrayDataset,
        kind: type[BaseException],
    ) -> None:
        """What the listener raises ends the training and comes out unchanged."""
        error = kind("no")
        heard: list[EpochMetrics] = []

        def listener(epoch: EpochMetrics) -> None:
            heard.append(epoch)
            raise error

        with pytest.raises(kind) as raised:
            trainer.load(model_path).fit(data, None, listener)

        assert error is raised.value
        assert 1 == len(heard)

    def test_loads_share_nothing(
        self, trainer: Trainer, model_path: Path, data: ArrayDataset
    ) -> None:
        """Training one model leaves another of the same file as it was."""
        first, second = trainer.load(model_path), trainer.load(model_path)
        untrained = second.evaluate(data)

        first.fit(data, None, lambda _: None)

        assert untrained == second.evaluate(data)
        assert untrained != first.evaluate(data)
        assert untrained == trainer.load(model_path).evaluate(data)

    def test_evaluate(
        self, trainer: Trainer, model_path: Path, data: ArrayDataset
    ) -> None:
        """Evaluation names loss first, reads once, and teaches the model nothing."""
        model = trainer.load(model_path)

        metrics = model.evaluate(data)

        assert ["loss", "accuracy"] == list(metrics)
        assert all(isinstance(number, float) for number in metrics.values())
        assert 1 == data.passes
        assert metrics == model.evaluate(data)

    def test_confusion_matrix(
        self, trainer: Trainer, model_path: Path, data: ArrayDataset
    ) -> None:
        """Every example is counted once, in the row of its class."""
        labels = data.examples.labels[:, 0].tolist()

        matrix = trainer.load(model_path).confusion_matrix(data)

        assert sorted(set(matrix.labels)) == list(matrix.labels)
        for label, row in zip(matrix.labels, matrix.counts, strict=True):
            assert labels.count(label) == sum(row)
            assert len(matrix.labels) == len(row)

    def test_save(self, trainer: Trainer, model_path: Path, data: ArrayDataset) -> None:
        """A saved model is one that can be loaded, and does as the trained one."""
        untrained = model_path.read_bytes()
        model = trainer.load(model_path)
        model.fit(data, None, lambda _: None)

        path = model.save()

        trainer.inspect(path)
        assert model.evaluate(data) == trainer.load(path).evaluate(data)
        assert untrained == model_path.read_bytes()

    def test_saved_apart(
        self, trainer: Trainer, model_path: Path, data: ArrayDataset
    ) -> None:
        """Saving one model leaves the saved file of another alone."""
        first, second = trainer.load(model_path), trainer.load(model_path)
        first.fit(data, None, lambda _: None)

        path = first.save()
        saved = path.read_bytes()
        second.save()

        assert saved == path.read_bytes()

    def test_saved_and_removed(
        self, trainer: Trainer, model_path: Path, tmp_path: Path
    ) -> None:
        """Of a saved model whose file is removed nothing is left."""
        model = trainer.load(model_path)
        before = set(tmp_path.rglob("*"))

        path = model.save()

        assert path.is_relative_to(tmp_path)
        path.unlink()
        assert before == set(tmp_path.rglob("*"))

    def test_classify(
        self, trainer: Trainer, model_path: Path, data: ArrayDataset
    ) -> None:
        """There is a class and a score for every example, in their order."""
        model = trainer.load(model_path)
        model.fit(data, None, lambda _: None)

        classes, scores = guessed(model, data)

        assert (70,) == classes.shape == scores.shape
        assert classes.dtype.kind in "iu"
        assert 0 <= classes.min() <= classes.max()
        assert 0 <= scores.min() <= scores.max() <= 1
        assert len({*zip(classes.tolist(), scores.tolist(), strict=True)}) > 1
        later = guessed(model, ArrayDataset(data.examples[40:]))
        np.testing.assert_array_equal(classes[40:], later[0])
        np.testing.assert_allclose(scores[40:], later[1], rtol=1e-5)

    def test_classify_by_features(
        self, trainer: Trainer, model_path: Path, data: ArrayDataset
    ) -> None:
        """Labels are not looked at, and nothing is learnt; the next fit is the same."""
        features, labels = data.examples.features, np.asarray(data.examples.labels)
        others = ArrayDataset(ExampleBatch(features, labels[::-1]))
        model, other = trainer.load(model_path), trainer.load(model_path)

        for one, two in zip(guessed(model, data), guessed(model, others), strict=True):
            np.testing.assert_array_equal(one, two)
        model.fit(data, None, lambda _: None)
        guessed(model, data)
        model.fit(data, None, lambda _: None)
        other.fit(data, None, lambda _: None)
        other.fit(data, None, lambda _: None)

        assert model.save().read_bytes() == other.save().read_bytes()

    @pytest.mark.parametrize("kind", [StreamUnreadable, ValueError, OSError])
    def test_dataset_error_in_classify(
        self, trainer: Trainer, model_path: Path, kind: type[Exception]
    ) -> None:
        """An error while reading comes out as it was raised."""
        error = kind("data[0]@7: gone")
        broken = BrokenDataset(examples("digits", 40), error=error)

        with pytest.raises(kind) as raised:
            guessed(trainer.load(model_path), broken)

        assert error is raised.value

    def test_goes_on(
        self,
        trainer: Trainer,
        model_path: Path,
        data: ArrayDataset,
        held_out: ArrayDataset,
        tmp_path: Path,
    ) -> None:
        """A training that breaks off goes on in another model, to the same end."""
        run = MemoryJournal(tmp_path).run("one")
        whole: list[EpochMetrics] = []
        unbroken = trainer.load(model_path)
        unbroken.fit(data, held_out, whole.append)

        def keeping() -> Keeping:
            return Keeping(run, len(data), 0, iter(range(10**6)).__next__)

        first = keeping()

        def break_off(metrics: EpochMetrics) -> None:
            first.add(metrics)
            if len(first.history) == 2:
                raise OSError

        with pytest.raises(OSError):  # noqa: PT011  # there is no message
            trainer.load(model_path).fit(data, held_out, break_off, first)
        second, model = keeping(), trainer.load(model_path)
        model.fit(data, held_out, second.add, second)

        assert second.latest is not None
        assert 1 == len(second.latest.progress.history)
        assert tuple(whole) == second.history
        assert unbroken.save().read_bytes() == model.save().read_bytes()

    def test_kept_between_fits(
        self,
        trainer: Trainer,
        model_path: Path,
        data: ArrayDataset,
        held_out: ArrayDataset,
        tmp_path: Path,
    ) -> None:
        """A model that was kept between two fits goes on as if nothing had been."""
        folder = tmp_path / "kept"
        folder.mkdir()
        whole: list[EpochMetrics] = []
        unbroken = trainer.load(model_path)
        unbroken.fit(data, held_out, lambda _: None)
        unbroken.keep(folder)
        unbroken.fit(held_out, data, whole.append)
        found: list[EpochMetrics] = []
        model = trainer.load(model_path)

        assert model.resume(folder)
        model.fit(held_out, data, found.append)

        assert whole == found
        assert unbroken.save().read_bytes() == model.save().read_bytes()

    def test_saved_as_kept(
        self, trainer: Trainer, model_path: Path, data: ArrayDataset, tmp_path: Path
    ) -> None:
        """It can be saved at once, as it was when it was kept."""
        folder = tmp_path / "kept"
        folder.mkdir()
        first = trainer.load(model_path)
        first.fit(data, None, lambda _: None)
        first.keep(folder)
        second = trainer.load(model_path)

        second.resume(folder)

        assert first.save().read_bytes() == second.save().read_bytes()

    def test_outline(self, trainer: Trainer, model_path: Path) -> None:
        """The same file has the same outline; it fits into a line."""
        outline = trainer.inspect(model_path)

        assert outline == trainer.inspect(model_path)
        assert len(outline.splitlines()) <= 1

    @pytest.mark.parametrize("method", ["inspect", "load"])
    def test_garbage(self, trainer: Trainer, tmp_path: Path, method: str) -> None:
        """An empty file (the platform sends one on errors) or none is no model."""
        empty = tmp_path / "empty"
        empty.touch()

        for path in (empty, tmp_path / "missing"):
            with pytest.raises(ModelInvalid):
                getattr(trainer, method)(path)

    def test_inspect(self, trainer: Trainer, model_path: Path) -> None:
        """Inspection lets a good model pass, and leaves it alone."""
        before = model_path.read_bytes()

        trainer.inspect(model_path)

        assert before == model_path.read_bytes()

    def test_prepare(self, trainer: Trainer, model_path: Path) -> None:
        """Whoever prepared, even twice, loads the same as others."""
        unprepared = trainer.load(model_path).save()

        trainer.prepare()
        trainer.prepare()

        assert unprepared.read_bytes() == trainer.load(model_path).save().read_bytes()
