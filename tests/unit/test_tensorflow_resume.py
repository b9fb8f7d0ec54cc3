"""A training that was killed goes on to the same end, to the last bit."""

from __future__ import annotations

import logging
from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras
from attrs import define, field

from adapters.memory.journal import MemoryJournal
from adapters.sampling import SamplingSettings, sampler_for
from adapters.spool import MemorySpool
from adapters.tensorflow import ModelSettings, TensorFlowSettings, TensorFlowTrainer
from domain.batches import ExampleBatch
from domain.keeping import Keeping
from domain.selection import selections
from domain.split import Split
from tests.models import ArrayDataset

BATCH = 16
ROWS = 72  # five batches, the last one short


class Killed(Exception):
    """Takes the place of the end of the process."""


@define(eq=False)
class Mortal(Keeping):
    """Dies after some checkpoints, or is stopped as by a signal after some asks."""

    checkpoints_left: int | None = field(default=None, kw_only=True)
    asks_left: int | None = field(default=None, kw_only=True)

    def due(self, *, epoch_ended):
        if self.asks_left is not None:
            self.asks_left -= 1
            if not self.asks_left:
                raise SystemExit(143)
        return super().due(epoch_ended=epoch_ended)

    def save(self, write, steps):
        super().save(write, steps)
        if self.checkpoints_left is not None:
            self.checkpoints_left -= 1
            if not self.checkpoints_left:
                raise Killed


@pytest.fixture(params=[tf_keras, keras], ids=["Keras 2", "Keras 3"])
def engine(request):
    return request.param


def data(rows=ROWS, seed=0):
    """Return features of shape (8,), and one of three classes for each."""
    features = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    labels = (features[:, 0] > 0).astype(np.uint8) + (features[:, 1] > 0)
    return ExampleBatch(features, labels.astype(np.uint8))


LAYERS = {
    "dense": lambda layers: [layers.Dense(9, activation="relu")],
    "random": lambda layers: [
        layers.Dense(9),
        layers.BatchNormalization(),
        layers.Dropout(0.3),
        layers.GaussianNoise(0.1, seed=4),
    ],
    "recurrent": lambda layers: [
        layers.Reshape((4, 2)),
        layers.LSTM(5, dropout=0.2, recurrent_dropout=0.1),
    ],
}


def model_file(engine, tmp_path, *, layers="dense", optimizer=None, metrics=None):
    """Write an untrained classifier with weights that are always the same."""
    engine.utils.set_random_seed(3)
    model = engine.Sequential(
        [
            engine.Input((8,)),
            *LAYERS[layers](engine.layers),
            engine.layers.Dense(3, activation="softmax", dtype="float32"),
        ]
    )
    model.compile(
        optimizer(engine.optimizers) if optimizer else "adam",
        "sparse_categorical_crossentropy",
        metrics=metrics or ["accuracy"],
    )
    path = tmp_path / ("model.keras" if engine is keras else "model.h5")
    model.save(path)
    return path


@define
class Training:
    """
    A training, to be run in as many processes as it takes.

    Attributes:
        path: The untrained model.

        workdir: Where its checkpoints are.

        settings: How to train, beyond three epochs and a seed.

        models: What the model may bring, and how it is compiled.

        repeat: Whether data repeat without end.

        shuffled: Whether every epoch has an order of its own.
    """

    path: Path
    workdir: Path
    settings: dict[str, object] = field(factory=dict)
    models: ModelSettings = field(factory=ModelSettings)
    repeat: bool = False
    shuffled: bool = False

    def run(self, **deaths):
        """Train to the end, through *deaths*; return history, weights and optimizer."""
        run = MemoryJournal(self.workdir).run(str(deaths))
        if deaths:
            with pytest.raises((Killed, SystemExit)):
                self._process(run, **deaths)
        return self._process(run)

    def _process(self, run, **deaths):
        for engine in (tf_keras, keras):  # a new process remembers no model
            engine.backend.clear_session()
        settings = TensorFlowSettings(
            **{
                "batch": BATCH,
                "kwargs_fit": {"epochs": 3},
                "streamfit_seed": 5,
                "streamfit_steps_per_execution": 1,
                **self.settings,
            }
        )
        trainer = TensorFlowTrainer(settings, self.workdir, self.repeat, self.models)
        model = trainer.load(self.path)
        kept = Mortal(run, ROWS, 0, iter(range(10**6)).__next__, **deaths)
        model.fit(self._examples(), ArrayDataset(data(40, 1)), kept.add, kept)
        optimizer = model.keras_model.optimizer
        variables = [*model.keras_model.variables, *optimizer.variables]
        return kept.history, [variable.numpy() for variable in variables]

    def _examples(self):
        if not self.shuffled:
            return ArrayDataset(data())
        spool = MemorySpool(ROWS)
        spool.append(data())
        sampler = sampler_for(SamplingSettings(streamfit_shuffle="1"))
        split = Split(range(ROWS), range(ROWS, ROWS), range(ROWS, ROWS))
        return selections(sampler, split, spool)[0]


def assert_same(expected, found):
    """Compare two results bit by bit."""
    history, variables = found
    assert expected[0] == history
    for ours, theirs in zip(expected[1], variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def assert_goes_on(training, *points):
    """Compare the unbroken training with those that were killed or stopped."""
    expected = training.run()
    for point in points or (2, 5):
        assert_same(expected, training.run(checkpoints_left=point))
    assert_same(expected, training.run(asks_left=4))


@pytest.mark.parametrize("layers", LAYERS)
def test_layers(engine, tmp_path, layers):
    """Weights, optimizer and the state of random layers go on where they were."""
    assert_goes_on(Training(model_file(engine, tmp_path, layers=layers), tmp_path))


def test_learning_rate_schedule(engine, tmp_path):
    """A schedule goes on with the step."""
    path = model_file(
        engine,
        tmp_path,
        optimizer=lambda o: o.SGD(
            o.schedules.ExponentialDecay(0.1, 2, 0.7), momentum=0.9
        ),
    )
    assert_goes_on(Training(path, tmp_path))


def test_metrics(engine, tmp_path):
    """Metrics of an epoch that was broken off are those of the whole epoch."""
    path = model_file(
        engine,
        tmp_path,
        metrics=["accuracy", engine.metrics.SparseTopKCategoricalAccuracy(2)],
    )
    assert_goes_on(Training(path, tmp_path))


def test_scaled_loss(engine, tmp_path):
    """The scale of a loss in mixed precision goes on, too."""
    models = ModelSettings(streamfit_mixed_precision="float16")
    path = model_file(engine, tmp_path)
    training = Training(path, tmp_path, models=models)
    expected = training.run()
    for point in (1, 5):
        assert_same(expected, training.run(checkpoints_left=point))


def test_shuffled(engine, tmp_path):
    """The order of an epoch that was broken off is that of the same epoch."""
    path = model_file(engine, tmp_path)
    assert_goes_on(Training(path, tmp_path, shuffled=True))


@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("steps", [2, 3])
def test_steps_per_epoch(engine, tmp_path, steps, repeat):
    """Epochs that are no passes go on in the middle of a pass."""
    settings = {"kwargs_fit": {"epochs": 4, "steps_per_epoch": steps}}
    path = model_file(engine, tmp_path)
    assert_goes_on(Training(path, tmp_path, settings, repeat=repeat), 1, 4)


def test_options(engine, tmp_path):
    """So do epochs that are counted from another number, validated now and then."""
    settings = {"kwargs_fit": {"epochs": 6, "initial_epoch": 2, "validation_freq": 2}}
    assert_goes_on(Training(model_file(engine, tmp_path), tmp_path, settings), 7)


def test_early_stopping(engine, tmp_path):
    """What early stopping remembers is kept: neither more epochs nor fewer."""
    settings = {
        "kwargs_fit": {"epochs": 30},
        "streamfit_early_stopping": 2,
        "streamfit_checkpoint_best": True,
    }
    path = model_file(engine, tmp_path, optimizer=lambda o: o.SGD(2.0), layers="random")
    training = Training(path, tmp_path, settings)

    epochs = len(training.run()[0])

    assert 3 <= epochs < 30
    assert_goes_on(training, 5, 5 * epochs - 1, 5 * epochs)


def test_blocks(engine, tmp_path):
    """It does not matter how many steps run in one go, before or after."""
    path = model_file(engine, tmp_path, layers="random")
    expected = Training(path, tmp_path).run()
    blocks = Training(path, tmp_path, {"streamfit_steps_per_execution": 2})
    for point in (1, 4):
        assert_same(expected, blocks.run(checkpoints_left=point))


def test_other_versions(engine, tmp_path, caplog, monkeypatch):
    """A checkpoint of another Keras is not used, and training starts over."""
    caplog.set_level(logging.WARNING)
    training = Training(model_file(engine, tmp_path), tmp_path)
    expected = training.run()
    run = MemoryJournal(tmp_path).run("other")
    with monkeypatch.context() as patch:
        patch.setattr(engine, "__version__", "9.9")
        with pytest.raises(Killed):
            training._process(run, checkpoints_left=6)

    assert_same(expected, training._process(run))
    assert "training starts over" in caplog.text


def test_seldom(engine, tmp_path):
    """Within an epoch, checkpoints are as seldom as is asked for."""
    run = MemoryJournal(tmp_path).run("seldom")
    training = Training(model_file(engine, tmp_path), tmp_path)
    kept = Keeping(run, ROWS, 1000, iter(range(10**6)).__next__)
    settings = TensorFlowSettings(
        batch=BATCH, kwargs_fit={"epochs": 3}, streamfit_steps_per_execution=1
    )
    model = TensorFlowTrainer(settings, tmp_path, repeat=False).load(training.path)

    model.fit(ArrayDataset(data()), None, kept.add, kept)

    latest = run.checkpoint()
    assert latest is None or not latest.progress.steps
