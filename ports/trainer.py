"""What trains models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from domain.batches import ElementSpec, ExampleBatch, Guesses
from domain.events import StepsDone
from domain.report import ConfusionMatrix, EpochMetrics, Metrics
from ports.journal import Checkpoint

EpochListener = Callable[[EpochMetrics], None]
"""Called after every epoch, on the training thread."""


StepListener = Callable[[StepsDone], None]
"""Called between two training steps, on the training thread; must not raise."""


class Dataset(Protocol):
    """Examples that can be read again and again, once per epoch."""

    @property
    def element_spec(self) -> ElementSpec:
        """What every example looks like."""
        ...

    def __len__(self) -> int:
        """Count the examples."""
        ...

    def batches(
        self, size: int, epoch: int = 0, start: int = 0
    ) -> Iterator[ExampleBatch]:
        """
        Read the examples afresh, *size* at a time; the last batch may be short.

        Args:
            size: Examples at a time.

            epoch: How often they were trained on before; the order may depend on it.

            start: How many to leave out at the beginning of that order.
        """
        ...


class Checkpoints(Protocol):
    """Where a training is kept, so that another process can go on with it."""

    @property
    def latest(self) -> Checkpoint | None:
        """What to go on from, if there is anything."""
        ...

    def due(self, *, epoch_ended: bool) -> bool:
        """Whether it is time to save: to be asked often, between any two steps."""
        ...

    def save(self, write: Callable[[Path], None], steps: int) -> None:
        """
        Keep the training as it is now.

        The epochs that the listener was told of are kept with it.  Where there is no
        room, training goes on all the same.

        Args:
            write: Writes the trainer's files into an empty folder; an OSError says that
                there is no room.

            steps: Training steps done of the epoch after those.
        """
        ...

    def start_over(self) -> None:
        """Forget what was kept: there is no going on from it."""
        ...


class TrainableModel(Protocol):
    """A model in the trainer's hands."""

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        on_epoch_end: EpochListener,
        checkpoints: Checkpoints | None = None,
        on_steps: StepListener | None = None,
    ) -> None:
        """
        Train on *training*, and call *on_epoch_end* after every epoch.

        Between two steps, not more often than it can be helped, *on_steps* is told how
        far the epoch is.

        If there is a checkpoint, training goes on from there, to the same end as if it
        had never stopped; *on_epoch_end* is called for the epochs that remain.  One
        that a trainer cannot go on from is passed over, and training begins anew, with
        the first epoch.

        Errors raised while reading a dataset, and by *on_epoch_end*, come out
        unchanged.

        Raises:
            TrainingFailed: The examples do not suit the model.
        """
        ...

    def evaluate(self, dataset: Dataset) -> Metrics:
        """
        Return the loss and metrics of the model on *dataset*.

        Errors raised while reading the dataset come out unchanged.

        Raises:
            TrainingFailed: The examples do not suit the model.
        """
        ...

    def confusion_matrix(self, dataset: Dataset) -> ConfusionMatrix | None:
        """
        Compare the classes that the model predicts on *dataset* with the true ones.

        Returns:
            None if the model is no classifier with a single output.

        Raises:
            TrainingFailed: The examples do not suit the model.
        """
        ...

    def classify(self, dataset: Dataset) -> Iterator[Guesses]:
        """
        Tell the class that the model sees in each example of *dataset*, and how surely.

        Labels are not looked at.  Of several outputs the last one counts.  The examples
        are read as the guesses are asked for, so that memory holds some of them only.

        Errors raised while reading the dataset come out unchanged.

        Raises:
            TrainingFailed: The examples do not suit the model, or it is no classifier.
        """
        ...

    def save(self) -> Path:
        """
        Write the model to a file of the format it was loaded from.

        Returns:
            A new file, or of a chain a new folder.  Whoever removes it leaves nothing
            behind.

        Raises:
            Unavailable: There is no room for it.
        """
        ...

    def keep(self, folder: Path) -> None:
        """
        Write all that the next `fit` depends on into *folder*, which is empty.

        That is between two of them; what a `fit` keeps of itself is its own affair.
        """
        ...

    def resume(self, folder: Path) -> bool:
        """
        Make the model, loaded from the same file, what it was when it was kept.

        Returns:
            False if there is no going on from what is in *folder*, for instance because
            it was written by another version; then the model is as it was loaded.
        """
        ...


class Trainer(Protocol):
    """A machine-learning framework, with the deployment's options built in."""

    def inspect(self, model: Path) -> str:
        """
        Look into *model* without running it and without loading the framework.

        Returns:
            Its outline: what tells it from other models, whatever weights it starts
            with, and however its parts are numbered.

        Raises:
            ModelInvalid: The file holds no model that can be trained.
        """
        ...

    def prepare(self) -> None:
        """
        Begin what `load` would have to wait for, and return at once.

        There will be something to train on.  What goes wrong is for `load` to say.
        """
        ...

    def load(self, model: Path) -> TrainableModel:
        """
        Load *model* afresh; trainings of the same file do not share weights.

        Raises:
            ModelInvalid: The file holds no model that can be trained.
        """
        ...
