"""The platform's own TensorFlow, 2.7, reads what we train and trains what we train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import tf_keras
from attrs import frozen

from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from domain.batches import ExampleBatch
from domain.report import EpochMetrics
from tests.models import IN_2020, TRAINABLE, ArrayDataset, examples, model_file
from tests.oracles import tensorflow_27

pytestmark = pytest.mark.oracle

BATCH, EPOCHS = 32, 2
MODELS = [(n, "2.7") for n in TRAINABLE] + [(n, "2.2") for n in IN_2020]


@frozen
class Bounds:
    """
    How far two TensorFlows may be apart.

    Predictions and losses relatively, small predictions and weights absolutely.
    """

    predictions: float = 1e-5
    small_predictions: float = 3e-7
    losses: float = 1e-5
    weights: float = 1e-5


_BOUNDS = {"mixed": Bounds(1e-2, 1e-2, losses=1e-3, weights=1e-3)}
"""
In bfloat16, of 8 bits, each product is rounded by up to 4e-3, and where within a sum
that happens is another matter in each version.
"""


@frozen
class Case:
    """One model, trained here, and what TensorFlow 2.7 made of it."""

    bounds: Bounds
    trained: Path
    examples: ExampleBatch
    epochs: list[EpochMetrics]
    from_untrained: Mapping[str, np.ndarray]
    from_trained: Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Case]:
    """Train every model here and in TensorFlow 2.7, which takes one process."""
    tensorflow_27.require()
    folder = tmp_path_factory.mktemp("oracle")
    settings = TensorFlowSettings(BATCH, kwargs_fit={"epochs": EPOCHS})
    trainer = TensorFlowTrainer(settings, folder, repeat=False)
    jobs, trained, epochs = [], {}, {}
    for name, tensorflow in MODELS:
        here, key = folder / f"{name}-{tensorflow}", (name, tensorflow)
        data = examples(name)
        np.savez(f"{here}.npz", x=data.features, y=data.labels)
        model = trainer.load(model_file(*key))
        epochs[key] = []
        model.fit(ArrayDataset(data), None, epochs[key].append)
        trained[key] = model.save()
        for start in (model_file(*key), trained[key]):
            jobs.append(
                {
                    "model": str(start),
                    "examples": f"{here}.npz",
                    "batch": BATCH,
                    "epochs": EPOCHS,
                    "output": f"{here}-{len(jobs) % 2}.npz",
                }
            )
    tensorflow_27.run(jobs, folder)
    return {
        (name, tensorflow): Case(
            _BOUNDS.get(name, Bounds()),
            trained[name, tensorflow],
            examples(name),
            epochs[name, tensorflow],
            *(np.load(folder / f"{name}-{tensorflow}-{i}.npz") for i in (0, 1)),
        )
        for name, tensorflow in MODELS
    }


@pytest.fixture(params=MODELS, ids="-".join)
def case(request: pytest.FixtureRequest, cases: dict[tuple[str, str], Case]) -> Case:
    return cases[request.param]


def weights(path: Path) -> list[np.ndarray]:
    """Return the weights in a model file, in Keras's order."""
    with h5py.File(path) as file:
        group = file["model_weights"]
        return [
            group[layer][name][()]
            for layer in group.attrs["layer_names"]
            for name in group[layer].attrs["weight_names"]
        ]


def test_same_predictions(case: Case) -> None:
    """A trained file predicts in TensorFlow 2.7 what it predicts here."""
    model = tf_keras.models.load_model(case.trained)

    outputs = model.predict(case.examples.features, batch_size=BATCH, verbose=0)

    outputs = outputs if isinstance(outputs, list) else [outputs]
    for i, output in enumerate(outputs):
        np.testing.assert_allclose(
            case.from_trained[f"predicted_{i}"],
            output,
            rtol=case.bounds.predictions,
            atol=case.bounds.small_predictions,
        )


def test_goes_on_training(case: Case) -> None:
    """TensorFlow 2.7 goes on training it: the weights move, and stay numbers."""
    before = weights(case.trained)
    after = [case.from_trained[f"weight_{i}"] for i in range(len(before))]

    assert all(np.isfinite(weight).all() for weight in after)
    assert any((old != new).any() for old, new in zip(before, after, strict=True))


def test_same_training(case: Case) -> None:
    """From the same file and examples, TensorFlow 2.7 trains the same weights."""
    for i, weight in enumerate(weights(case.trained)):
        np.testing.assert_allclose(
            case.from_untrained[f"weight_{i}"], weight, rtol=0, atol=case.bounds.weights
        )


def test_same_losses(case: Case) -> None:
    """And it reports the same losses; its accuracies are wrong, see compiling.py."""
    losses = [n for n in case.epochs[0].training if n.endswith("loss")]

    assert "loss" in losses
    for name in losses:
        np.testing.assert_allclose(
            case.from_untrained[f"history_{name}"],
            [epoch.training[name] for epoch in case.epochs],
            rtol=case.bounds.losses,
        )
